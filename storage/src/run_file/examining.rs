//! Reading a fragment alone and whole, as merging would: one that takes its reader's process down is found so.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::posix_fallocate;
use nix::libc;
use runledger_context::run::RunId;

use super::composing::compose;
use super::source::Source;
use crate::error::{Error, Result};
use crate::fragment::{self, Fragment};
use crate::results_dir;

/// What a composed file may need beyond the bytes of its source.
const MORE: u64 = 1 << 20;

/// As what a run's new file is composed. Whoever does so has the [lock](super::lock).
pub(super) fn draft_name(run: RunId) -> String {
    format!(".{}.composing", results_dir::stem(run))
}

/// Reads all that merging would read of a fragment, and changes nothing.
///
/// # Errors
/// [`Error::Results`] if it cannot be read.
pub fn examine(database_dir: &Path, fragment: &Fragment) -> Result<()> {
    fragment::summaries(&fragment.path)?;
    let folder = results_dir::open(database_dir)?;
    let draft = folder.at(draft_name(fragment.run));
    let composed = results_dir::with_file(&fragment.path, |file| {
        let composed = Source::fragment(file).and_then(|source| compose(&draft, &[source]));
        composed.map_err(|(path, reason)| Error::results(&path, reason))
    });
    // What is left of it says nothing that the error does not say.
    let _ = fs::remove_file(&draft);
    composed.map_err(|error| folder.naming(error))
}

/// Clears away what somebody left who was ended while composing, and sees whether the disk has room for the
/// fragment's content once more: who was ended for want of that was not ended by the fragment.
///
/// # Errors
/// [`Error::File`]: it has none, or cannot be written for another reason.
pub fn make_room_for(database_dir: &Path, fragment: &Fragment) -> Result<()> {
    let folder = results_dir::open(database_dir)?;
    let draft = folder.at(draft_name(fragment.run));
    let _ = fs::remove_file(&draft);
    let room = reserve(&draft, &fragment.path);
    let _ = fs::remove_file(&draft);
    room.map_err(|source| Error::File {
        path: folder.shown(&draft),
        source,
    })
}

fn reserve(draft: &Path, like: &Path) -> std::io::Result<()> {
    let length = fs::symlink_metadata(like)?.len() + MORE;
    let mut options = File::options();
    options.write(true).create_new(true);
    // Everybody may write into the folder: a link there could lead to any file of ours.
    let file = options.custom_flags(libc::O_NOFOLLOW).open(draft)?;
    Ok(posix_fallocate(file, 0, length.cast_signed())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::FragmentWriter;

    fn written(dir: &Path) -> Fragment {
        let run = RunId::new(1, 2);
        let writer = FragmentWriter::create(dir, run, "a", "context.py").unwrap();
        Fragment::of(&writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn examining_changes_nothing_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let fragment = written(folder.path());
        let names = || {
            fs::read_dir(results_dir::path(folder.path()))
                .unwrap()
                .count()
        };
        let before = (fs::read(&fragment.path).unwrap(), names());
        examine(folder.path(), &fragment).unwrap();
        make_room_for(folder.path(), &fragment).unwrap();
        assert_eq!((fs::read(&fragment.path).unwrap(), names()), before);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fragment = written(folder.path());
        fs::write(&fragment.path, "nonsense").unwrap();
        let refused = examine(folder.path(), &fragment).unwrap_err();
        assert!(matches!(refused, Error::Results { path, .. } if path == fragment.path));
    }

    #[test]
    fn a_draft_of_somebody_who_was_ended_takes_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let fragment = written(folder.path());
        let left = results_dir::path(folder.path()).join(draft_name(fragment.run));
        fs::write(&left, "half").unwrap();
        make_room_for(folder.path(), &fragment).unwrap();
        assert!(!left.exists());
    }
}
