//! Opening a run table that others use too, and perhaps made.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{AccessFlags, access};
use runledger_migrations::Format;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::{Database, FILE_NAME, holder};
use crate::error::{Error, Result};
use crate::sharing::share_file;

/// How long other programs may hold a lock before a call gives up.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

impl Database {
    /// Opens the run table of the folder `dir`; formats 1 to 3 are upgraded, with a copy kept beside it.
    ///
    /// A file or folder that can't be written is opened for reading, in the format that it has.
    ///
    /// # Errors
    /// [`Error::NoDatabase`], [`Error::NewerDatabase`] (the file is not touched),
    /// [`Error::LegacyDatabase`], [`Error::NotADatabase`], [`Error::DatabaseBusy`], ….
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_with_timeout(dir, BUSY_TIMEOUT)
    }

    /// As [`Database::open`], waiting at most `busy` for other programs, now and in every later call.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with_timeout(dir: &Path, busy: Duration) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        look_for(dir, &path)?;
        let sqlite = |error| Error::sqlite(&path, error);
        let mut conn = connect(&path, busy).map_err(sqlite)?;
        let writable = is_writable(&conn, dir).map_err(sqlite)?;
        let version = settle_version(&mut conn, &path, writable)?;
        if let Err(error) = share_file(&path) {
            tracing::debug!(path = %path.display(), %error, "the database's permissions were left as they are");
        }
        if writable {
            leave_wal(&conn, &path).map_err(sqlite)?;
        }
        let db_id = db_id(&conn, writable).map_err(sqlite)?;
        Ok(Self {
            conn,
            dir: dir.into(),
            path,
            version,
            db_id,
        })
    }
}

pub(crate) fn look_for(dir: &Path, path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => match runledger_migrations::foreign(path) {
            None => Ok(()),
            Some(path) => Err(Error::NotADatabase {
                reason: format!("it is {}", kind(&path)),
                path,
            }),
        },
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(Error::NoDatabase { dir: dir.into() })
        }
        Err(source) => Err(Error::File {
            path: path.into(),
            source,
        }),
    }
}

fn kind(path: &Path) -> &'static str {
    match std::fs::symlink_metadata(path).map(|found| found.file_type()) {
        Ok(kind) if kind.is_symlink() => "a symbolic link, which could lead anywhere",
        Ok(kind) if kind.is_dir() => "a folder",
        Ok(kind) if kind.is_fifo() => "a pipe",
        _ => "not a file",
    }
}

/// SQLite itself falls back to reading where the file can't be written.
pub(crate) fn connect(path: &Path, busy: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = runledger_migrations::connect(path, flags)?;
    conn.busy_timeout(busy)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// The journal needs the folder, so a file alone is not enough.
pub(crate) fn is_writable(conn: &Connection, dir: &Path) -> rusqlite::Result<bool> {
    Ok(!conn.is_readonly("main")? && access(dir, AccessFlags::W_OK).is_ok())
}

fn settle_version(conn: &mut Connection, path: &Path, writable: bool) -> Result<u32> {
    let failed = |error| Error::migration(path, error);
    match runledger_migrations::format(conn).map_err(failed)? {
        Format::Numbered(version) if !writable => return Ok(version),
        Format::Numbered(_) => {}
        other => return Err(failed(runledger_migrations::Error::NoSteps(other))),
    }
    runledger_migrations::upgrade_with_backup(conn, path).map_err(failed)?;
    runledger_migrations::version(conn).map_err(failed)
}

/// A write-ahead log is shared memory: it corrupts a database that several hosts have open. It cannot be left while
/// another program has the database open, and does no harm among programs of one host.
fn leave_wal(conn: &Connection, path: &Path) -> rusqlite::Result<()> {
    let mode = |pragma| conn.query_row(pragma, [], |row| row.get::<_, String>(0));
    if mode("PRAGMA journal_mode")? != "wal" {
        return Ok(());
    }
    match mode("PRAGMA journal_mode = DELETE") {
        Ok(mode) => {
            tracing::warn!(path = %path.display(), mode, "the database had a write-ahead log");
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            let holder = holder(path).unwrap_or_else(|| "another program".into());
            tracing::warn!(path = %path.display(), holder, "the database has a write-ahead log, which programs on other hosts cannot share");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn db_id(conn: &Connection, writable: bool) -> rusqlite::Result<String> {
    let query = "SELECT value FROM metameta WHERE key = 'db_id'";
    let read = || conn.query_row(query, [], |row| row.get(0)).optional();
    if let Some(id) = read()? {
        return Ok(id);
    }
    if !writable {
        return Ok(String::new());
    }
    conn.execute(
        "INSERT INTO metameta (key, value) VALUES ('db_id', lower(hex(randomblob(20))))
         ON CONFLICT (key) DO NOTHING",
        [],
    )?;
    Ok(read()?.unwrap_or_default())
}
