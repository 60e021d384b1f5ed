//! The order in which fragments were written: that of their times, also where a clock was put back, or where
//! those of two hosts differ.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::READY;
use crate::folder::open_own;

/// Every file system and every table can tell this apart.
const INSTANT: Duration = Duration::from_micros(1);

/// Makes a fragment that is complete newer than all that there is of its run: results that are merged, which the time
/// of the run's file tells, and results that wait.
pub(super) fn put_last(fragment: &Path) -> io::Result<()> {
    let newest = newest_of_run(fragment)?;
    let own = fs::symlink_metadata(fragment)?.modified()?;
    match newest {
        Some(newest) if newest >= own => be_of(fragment, newest + INSTANT),
        _ => Ok(()),
    }
}

fn newest_of_run(fragment: &Path) -> io::Result<Option<SystemTime>> {
    let Some((folder, run)) = fragment.parent().zip(run_of(fragment)) else {
        return Ok(None);
    };
    let mut newest = None;
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(run));
        if rest.is_some_and(|rest| rest == ".h5" || rest.starts_with('.') && rest.ends_with(READY))
        {
            // One that is gone by now is merged: the run's file tells its time.
            newest = newest.max(entry.metadata().and_then(|about| about.modified()).ok());
        }
    }
    Ok(newest)
}

fn run_of(fragment: &Path) -> Option<&str> {
    Some(fragment.file_name()?.to_str()?.split_once('.')?.0)
}

/// A run's file is as new as what was merged into it. Who does not own it leaves it as it is: the next results are newer
/// anyway, but where a clock is put back just then.
pub(crate) fn be_as_new_as<'a>(run_file: &Path, merged: impl Iterator<Item = &'a Path>) {
    let time = |path: &Path| {
        fs::symlink_metadata(path)
            .and_then(|about| about.modified())
            .ok()
    };
    let newest = merged.filter_map(time).max();
    if let Some(newest) = newest.filter(|newest| Some(*newest) > time(run_file)) {
        let _ = be_of(run_file, newest);
    }
}

/// Gives a file that has no other name another age.
pub(super) fn be_of(path: &Path, time: SystemTime) -> io::Result<()> {
    open_own(path)?.set_modified(time)
}
