//! Opening a database in a folder that everybody may write into: only regular files are one, or belong to one.
//!
//! SQLite would wait for ever for the other end of a pipe that somebody put in the place of a journal, which it opens
//! at the beginning of any transaction, and would follow a link to any file of ours. So its way to open files is replaced,
//! for all databases of the process, by one that looks at what was opened.
// SQLite calls a C function to open files, and lets itself be given another one only in C.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};
use std::sync::Once;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use rusqlite::{Connection, OpenFlags, ffi};

use crate::inert::take_as_data;

/// The database's own file, and those that SQLite keeps beside it.
const ENDS: [&str; 4] = ["", "-journal", "-wal", "-shm"];
/// The one device that SQLite reads.
const RANDOM: &CStr = c"/dev/urandom";

/// Opens a database, as [`Connection::open_with_flags`]; what others have written into it is data only: triggers do
/// nothing, and views cannot be read.
///
/// # Errors
/// SQLite's; and something else than a regular file, such as a link or a pipe, has the name of the database, or of
/// a file that belongs to it.
pub fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    guard();
    match foreign(path) {
        Some(found) => Err(refused(format!("{} is no regular file", found.display()))),
        None => {
            let conn = Connection::open_with_flags(path, flags)?;
            take_as_data(&conn)?;
            Ok(conn)
        }
    }
}

/// What has the name of the database or of a file that belongs to it, and is no regular file: nobody's database then.
pub fn foreign(path: &Path) -> Option<PathBuf> {
    let beside = ENDS.iter().map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    let is_foreign = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| !found.is_file());
    beside.into_iter().find(is_foreign)
}

fn refused(why: String) -> rusqlite::Error {
    let code = ffi::Error::new(ffi::SQLITE_CANTOPEN);
    rusqlite::Error::SqliteFailure(code, Some(why))
}

/// From here on SQLite opens files by [`open_regular`].
fn guard() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        type Opener = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
        // SAFETY: the default file system is there for as long as the process is; it calls its "open" with these
        // arguments (`posixOpen` in os_unix.c).
        unsafe {
            let system = ffi::sqlite3_vfs_find(std::ptr::null());
            if let Some(set) = system.as_ref().and_then(|system| system.xSetSystemCall) {
                let opener = std::mem::transmute::<Opener, unsafe extern "C" fn()>(open_regular);
                set(system, c"open".as_ptr(), Some(opener));
            }
        }
    });
}

/// open(2) for regular files, and for folders, which SQLite opens to make them last.
unsafe extern "C" fn open_regular(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: SQLite passes a text that ends with 0.
    let path = unsafe { CStr::from_ptr(path) };
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    let opened = open(path, flags, Mode::from_bits_truncate(mode.cast_unsigned()))
        .and_then(|opened| Ok((fstat(&opened)?, opened)));
    let refusal = match opened {
        Ok((about, opened)) if suits(about.st_mode, path) => return opened.into_raw_fd(),
        // Nothing of SQLite's is lost when it is closed: no file of its own has locks on it.
        Ok(_) => Errno::EINVAL,
        Err(refusal) => refusal,
    };
    refusal.set();
    -1
}

fn suits(mode: u32, path: &CStr) -> bool {
    let kind = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    kind == SFlag::S_IFREG || kind == SFlag::S_IFDIR || path == RANDOM
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn database(folder: &Path) -> PathBuf {
        let path = folder.join("some.sqlite");
        let conn = connect(&path, OpenFlags::default()).unwrap();
        conn.execute_batch("CREATE TABLE x (y); INSERT INTO x VALUES (1)")
            .unwrap();
        path
    }

    fn pipe(path: &Path) {
        nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
    }

    #[test]
    fn a_database_or_a_file_beside_it_that_is_no_regular_file_is_named() {
        for end in ENDS {
            for plant in [pipe, |path: &Path| symlink("/etc/passwd", path).unwrap()] {
                let folder = tempfile::tempdir().unwrap();
                let path = database(folder.path());
                let planted = PathBuf::from(format!("{}{end}", path.display()));
                let _ = fs::remove_file(&planted);
                plant(&planted);
                let why = connect(&path, OpenFlags::default())
                    .unwrap_err()
                    .to_string();
                assert_eq!(why, format!("{} is no regular file", planted.display()));
            }
        }
    }

    #[test]
    fn a_pipe_in_the_place_of_a_journal_is_not_waited_for_in_an_open_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path());
        let conn = connect(&path, OpenFlags::default()).unwrap();
        let count = || conn.query_row("SELECT count(*) FROM x", [], |row| row.get::<_, u32>(0));
        let journal = folder.path().join("some.sqlite-journal");
        pipe(&journal);
        let refused = count().unwrap_err();
        assert_eq!(
            refused.sqlite_error_code(),
            Some(rusqlite::ErrorCode::CannotOpen),
            "{refused}"
        );
        assert!(conn.execute("INSERT INTO x VALUES (2)", []).is_err());
        fs::remove_file(journal).unwrap();
        assert_eq!(count().unwrap(), 1);
        conn.execute("INSERT INTO x VALUES (2)", []).unwrap();
    }
}
