//! `python-path` and `save-results`: what a notebook needs of us to use Pipelines.

use runledger_context::runtime::Runtime;
use runledger_listener::extraction;

use super::Site;
use crate::failure::{Failure, Result};

/// Prints the folder of the Python runtime, unpacked if it is not there yet.
pub(super) fn python_path() -> Result {
    let folder = Runtime::kept().map_err(|error| {
        Failure::new(error).hint("name a folder that only you can write to as XDG_CACHE_HOME")
    })?;
    println!("{}", folder.display());
    Ok(())
}

/// Saves what comes on stdin, as `Results.save` sends it; prints the fragment's path.
pub(super) fn save_results(site: &Site) -> Result {
    let fragment = extraction::save_results(&mut std::io::stdin().lock(), site.publisher()?)?;
    println!("{}", fragment.display());
    Ok(())
}
