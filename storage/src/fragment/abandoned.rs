//! Fragments that nobody completes any more: their writer died, and nobody was there to see.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hdf5_metno::File;
use runledger_context::run::RunId;

use super::writing::WRITING;
use super::{Fragment, writer};
use crate::hdf5::{self, Attribute, words};
use crate::results_dir;

/// Whoever started the writer hands its fragment in at its end; they have the time to do so.
const GRACE: Duration = Duration::from_secs(300);

/// The fragments of a database that are known to be abandoned, and their runs. Those whose writer is alive, on
/// another host or not known are none of them.
pub fn abandoned(database_dir: &Path) -> Vec<(PathBuf, RunId)> {
    let entries = fs::read_dir(results_dir::path(database_dir));
    let paths = entries.into_iter().flatten().flatten();
    paths
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| Fragment::named(&entry.path(), WRITING))
        .filter(|found| is_old(&found.path) && is_writer_gone(&found.path))
        .map(|found| (found.path, found.run))
        .collect()
}

fn is_old(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|found| found.modified());
    modified.is_ok_and(|modified| {
        let age = SystemTime::now().duration_since(modified);
        // One of the future: a clock was set back, here or where it is written.
        age.unwrap_or_else(|ahead| ahead.duration()) > GRACE
    })
}

/// Only looks: the file may be being written.
fn is_writer_gone(path: &Path) -> bool {
    let noted = File::open(path)
        .map_err(words)
        .and_then(|file| hdf5::attributes(&file));
    noted.is_ok_and(|noted| {
        noted.iter().any(|(name, value)| {
            matches!(value, Attribute::Text(who) if name == writer::ATTRIBUTE && writer::is_gone(who))
        })
    })
}
