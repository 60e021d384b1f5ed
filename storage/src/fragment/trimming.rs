//! Taking out of a fragment what newer results have replaced before it was merged.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::writing::{ERRORS, PREVIEWS, SUMMARIES};
use super::{Fragment, order};
use crate::error::{Error, Result};
use crate::folder::open_regular;
use crate::hdf5::{self, words};
use crate::results_dir;

/// Takes variables out of a complete fragment, which keeps its age. A crash leaves it as it was.
///
/// # Errors
/// [`Error::Results`], [`Error::File`].
pub fn trim(fragment: &Fragment, names: &[&str]) -> Result<()> {
    results_dir::with_file(&fragment.path, |path| trim_file(path, names))
}

fn trim_file(path: &Path, names: &[&str]) -> Result<()> {
    let failed = |source| Error::File {
        path: path.into(),
        source,
    };
    let draft = path.with_extension("trimming");
    let modified = copy(path, &draft).map_err(failed)?;
    take_out(&draft, names).map_err(|reason| Error::results(path, reason))?;
    order::be_of(&draft, modified).map_err(failed)?;
    results_dir::settle(&draft, path)
}

/// Returns how old the original is.
fn copy(path: &Path, draft: &Path) -> io::Result<SystemTime> {
    let mut original = open_regular(path)?;
    match fs::remove_file(draft) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => io::copy(&mut original, &mut File::create_new(draft)?)?,
    };
    original.metadata()?.modified()
}

fn take_out(draft: &Path, names: &[&str]) -> hdf5::Outcome {
    let file = hdf5::reopen(draft)?;
    let root = file.as_group().map_err(words)?;
    let groups = [SUMMARIES, PREVIEWS, ERRORS].map(|name| hdf5::own_group(&file, name).ok());
    for group in groups.into_iter().flatten().flatten().chain([root]) {
        for name in names.iter().filter(|name| group.link_exists(name)) {
            group.unlink(name).map_err(words)?;
        }
    }
    file.close().map_err(words)
}
