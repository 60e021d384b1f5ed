//! What has the name of a fragment that is ready, and is none: nobody merges it, and whoever asks hears of it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Fragment, READY};
use crate::folder::Folder;
use crate::results_dir;

/// Links, pipes and folders of such a name, and files of a run that there cannot be, or whose names are no text.
/// A folder that cannot be read has none.
pub fn passed_over(database_dir: &Path) -> Vec<PathBuf> {
    let dir = results_dir::path(database_dir);
    let opened = Folder::open(&dir).and_then(|folder| fs::read_dir(folder.path()));
    let is_none = |entry: &fs::DirEntry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = entry.file_name();
        name.as_bytes().ends_with(READY.as_bytes())
            && !(is_file && Fragment::of(Path::new(&name)).is_some())
    };
    let entries = opened.into_iter().flatten().flatten().filter(is_none);
    let mut found: Vec<PathBuf> = entries.map(|entry| dir.join(entry.file_name())).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_no_fragment_can_be_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let dir = results_dir::path(folder.path());
        assert!(passed_over(folder.path()).is_empty());
        fs::create_dir(&dir).unwrap();
        for name in [
            "p1_r2.a.ready.h5",
            "p1_r2.a.writing.h5",
            "p1_r2.h5",
            "notes",
        ] {
            fs::write(dir.join(name), "").unwrap();
        }
        assert!(passed_over(folder.path()).is_empty());
        symlink("notes", dir.join("p1_r2.b.ready.h5")).unwrap();
        fs::create_dir(dir.join("p1_r2.c.ready.h5")).unwrap();
        fs::write(dir.join("p1_r99999999999.d.ready.h5"), "").unwrap();
        fs::write(dir.join(OsStr::from_bytes(b"p1_r2.\xff.ready.h5")), "").unwrap();
        assert_eq!(passed_over(folder.path()).len(), 4);
    }
}
