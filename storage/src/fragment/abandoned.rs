//! Fragments that nobody completes any more: their writer died, and nobody was there to see.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use runledger_context::run::RunId;

use super::writing::WRITING;
use super::{Fragment, writer};
use crate::hdf5::{self, Attribute};
use crate::results_dir;

/// Whoever started the writer hands its fragment in at its end; they have the time to do so.
const GRACE: Duration = Duration::from_secs(300);

/// The fragments of a database that are known to be abandoned, and their runs. Those whose writer is alive, on
/// another host or not known are none of them.
pub fn abandoned(database_dir: &Path) -> Vec<(PathBuf, RunId)> {
    let Ok(folder) = results_dir::open(database_dir) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| Fragment::named(&entry.path(), WRITING))
        .filter(|found| is_old(&found.path) && is_writer_gone(&found.path))
        .map(|found| (folder.shown(&found.path), found.run))
        .collect()
}

pub(super) fn is_old(path: &Path) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
    modified.is_ok_and(|modified| {
        let age = SystemTime::now().duration_since(modified);
        // One of the future: a clock was set back, here or where it is written.
        age.unwrap_or_else(|ahead| ahead.duration()) > GRACE
    })
}

/// Only looks: the file may be being written. One that says nothing of its writer is complete but for its name, which
/// takes nobody so long.
fn is_writer_gone(path: &Path) -> bool {
    let noted = hdf5::open(path).and_then(|file| hdf5::attributes(&file));
    noted.is_ok_and(|noted| {
        let mut noted = noted.into_iter();
        match noted.find(|(name, _)| name == writer::ATTRIBUTE) {
            Some((_, Attribute::Text(who))) => writer::is_gone(&who),
            Some(_) => false,
            None => true,
        }
    })
}
