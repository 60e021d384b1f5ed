//! The fragment of a job that died while it was written: what it had finished is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runledger_context::value::Failure;
use runledger_steps::{Step, reached};
use tempfile::TempPath;

use super::abandoned::is_old;
use super::writing::{
    RUNNING, close, complete, complete_as_old_as, file_error, ready_path, save_failure,
};
use crate::error::{Error, Result};
use crate::folder::{Folder, open_regular};
use crate::hdf5;
use crate::results_dir;

/// How the copies end in which fragments are completed.
const SALVAGING: &str = ".salvaging";

/// The variable that was being evaluated when a job died; None if it was between two, or the file cannot tell.
pub fn running(writing: &Path) -> Option<String> {
    let folder = Folder::of(writing).ok()?;
    // For reading: its age is told by its last change.
    let file = hdf5::open(&folder.at(writing.file_name()?)).ok()?;
    let known = hdf5::attributes(&file).ok()?;
    known.into_iter().find_map(|(name, value)| match value {
        hdf5::Attribute::Text(text) if name == RUNNING => Some(text),
        _ => None,
    })
}

/// Completes the fragment of a job that died while it was written, with errors for what it did not finish; it is the
/// newest of its run then. Returns where it is. It is written anew: nobody knows what the job, or the disk, has told about
/// the old file.
///
/// # Errors
/// [`Error::Results`]: the job died in the middle of a write, and the file cannot be read. [`Error::File`]: the disk does
/// not take it now. The file is as it was then.
pub fn salvage(writing: &Path, failures: &[(String, Failure)]) -> Result<PathBuf> {
    results_dir::with_file(writing, |way| salvage_file(way, failures, complete))?;
    Ok(ready_path(writing))
}

/// The same where nobody saw the job die: the fragment stays as old as what it has, and whatever was computed since is
/// newer.
///
/// # Errors
/// As for [`salvage`].
pub fn salvage_unseen(writing: &Path, failures: &[(String, Failure)]) -> Result<PathBuf> {
    results_dir::with_file(writing, |way| {
        let modified = fs::symlink_metadata(way).and_then(|about| about.modified());
        let modified = modified.map_err(|source| file_error(way, source))?;
        salvage_file(way, failures, |draft, place| {
            complete_as_old_as(draft, place, modified)
        })
    })?;
    Ok(ready_path(writing))
}

fn salvage_file(
    writing: &Path,
    failures: &[(String, Failure)],
    complete: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<()> {
    let unreadable = |reason| Error::results(writing, reason);
    // One that is of no use is not copied again and again.
    drop(hdf5::open(writing).map_err(unreadable)?);
    let draft = copied(writing).map_err(|source| file_error(writing, source))?;
    fill_in(&draft, failures).map_err(unreadable)?;
    complete(&draft, &ready_path(writing))?;
    reached(Step::LeftFragmentCompleted);
    // It is in the way from now on; one that stays is handed in once more, to the same effect.
    let _ = fs::remove_file(writing);
    Ok(())
}

/// A copy beside it, which is gone with the value that is returned: others may be at the same.
fn copied(writing: &Path) -> io::Result<TempPath> {
    let stem = writing.file_stem().unwrap_or_default().to_string_lossy();
    let mut draft = tempfile::Builder::new();
    draft.prefix(&*stem).suffix(SALVAGING);
    let mut draft = draft.tempfile_in(writing.parent().unwrap_or(Path::new(".")))?;
    results_dir::copy(&mut open_regular(writing)?, draft.as_file_mut())?;
    Ok(draft.into_temp_path())
}

/// Removes copies of those who died while they completed one; the fragments themselves are still there.
pub fn forget_drafts(database_dir: &Path) {
    let Ok(folder) = results_dir::open(database_dir) else {
        return;
    };
    let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
    let drafts = entries.map(|entry| entry.path());
    let is_left = |path: &PathBuf| path.to_string_lossy().ends_with(SALVAGING) && is_old(path);
    for draft in drafts.filter(is_left) {
        let _ = fs::remove_file(draft);
    }
}

fn fill_in(draft: &Path, failures: &[(String, Failure)]) -> hdf5::Outcome {
    let file = hdf5::reopen(draft)?;
    for (name, failure) in failures {
        save_failure(&file, name, failure)?;
    }
    close(file)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn what_cannot_be_salvaged_stays_as_it_is_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let writing = folder.path().join("p1_r2.x.writing.h5");
        fs::write(&writing, "half a fragment").unwrap();
        let refused = salvage(&writing, &[]).unwrap_err();
        assert!(!refused.is_transient(), "{refused}");
        assert_eq!(fs::read(&writing).unwrap(), b"half a fragment");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn copies_that_nobody_completes_any_more_are_removed() {
        let database = tempfile::tempdir().unwrap();
        let results = results_dir::path(database.path());
        fs::create_dir(&results).unwrap();
        let at = |name: &str| results.join(name);
        let old = SystemTime::now() - Duration::from_secs(3600);
        for (name, is_old) in [
            ("p1_r2.x.writing.h5", true),
            ("p1_r2.x.writing1.salvaging", true),
            ("p1_r2.x.writing2.salvaging", false),
        ] {
            let file = fs::File::create(at(name)).unwrap();
            file.set_modified(if is_old { old } else { SystemTime::now() })
                .unwrap();
        }
        forget_drafts(database.path());
        assert!(at("p1_r2.x.writing.h5").exists());
        assert!(!at("p1_r2.x.writing1.salvaging").exists());
        assert!(at("p1_r2.x.writing2.salvaging").exists());
    }
}
