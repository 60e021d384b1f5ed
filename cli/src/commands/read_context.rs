//! `read-context`.

use std::path::Path;

use runledger_listener::extraction;
use runledger_storage::Database;

use super::Site;
use crate::failure::Result;

/// Reads the context file of the database in `dir`.
pub(super) fn run(dir: &Path, site: &Site) -> Result {
    let mut db = Database::open(dir)?;
    let (all, changed) = extraction::read_context(&mut db, &site.extraction(), site.publisher()?)?;
    println!(
        "{all} variables in {}, {changed} of them new or changed",
        dir.join("context.py").display()
    );
    Ok(())
}
