//! What SQLite says of a database, in words for people: it has the same ones for every disk that refuses.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::{ErrorCode, ffi};

/// What is wrong with the database at `path`, which `error` came of.
pub fn sqlite_words(path: &Path, error: &rusqlite::Error) -> String {
    let (Some(kind), Some(code)) = (error.sqlite_error_code(), error.sqlite_error()) else {
        return error.to_string();
    };
    match kind {
        ErrorCode::DiskFull => format!("{}; make room", Errno::ENOSPC.desc()),
        ErrorCode::SystemIoFailure => refusal(path, code.extended_code),
        _ => error.to_string(),
    }
}

fn refusal(path: &Path, extended: i32) -> String {
    let what = refused(path, extended);
    match (reason(path), is_for_room(extended)) {
        (Some(why), _) => format!("{what}: {why}"),
        (None, true) => format!("{what}: is the disk full, or a quota used up? Make room"),
        (None, false) => format!("{what}: disk I/O error ({extended})"),
    }
}

fn refused(path: &Path, extended: i32) -> String {
    match extended {
        ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP => {
            let name = path.file_name().unwrap_or_default().display();
            format!("{name}-shm, which SQLite needs beside it, cannot be made")
        }
        ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ => "it cannot be read".into(),
        ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE => "it cannot be written".into(),
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => {
            "what was written cannot be made to last".into()
        }
        _ => "the disk refuses".into(),
    }
}

/// Whether it most often fails for want of room.
fn is_for_room(extended: i32) -> bool {
    [ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_SHMMAP].contains(&extended)
}

/// The system's words, which SQLite keeps for itself: as far as the disk shows them now.
fn reason(path: &Path) -> Option<String> {
    let disk = statvfs(path.parent()?).ok()?;
    if disk.flags().contains(FsFlags::ST_RDONLY) {
        return Some(Errno::EROFS.desc().into());
    }
    (disk.blocks_available() == 0).then(|| format!("{}; make room", Errno::ENOSPC.desc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32) -> String {
        let words = Some("file is not a database".into());
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), words);
        let folder = tempfile::tempdir().unwrap();
        sqlite_words(&folder.path().join("ledger.sqlite"), &error)
    }

    #[test]
    fn what_the_disk_refuses_is_told() {
        let cases = [
            (ffi::SQLITE_IOERR_SHMSIZE, "ledger.sqlite-shm"),
            (ffi::SQLITE_IOERR_READ, "cannot be read"),
            (ffi::SQLITE_IOERR_WRITE, "cannot be written"),
            (ffi::SQLITE_IOERR_FSYNC, "cannot be made to last"),
            (ffi::SQLITE_FULL, "No space left on device; make room"),
        ];
        for (code, words) in cases {
            assert!(said(code).contains(words), "{}", said(code));
        }
    }

    #[test]
    fn what_has_nothing_to_do_with_the_disk_keeps_its_words() {
        assert_eq!(said(ffi::SQLITE_NOTADB), "file is not a database");
    }
}
