//! How SQLite keeps our own two files safe, by the file system they are on.

use std::path::Path;

use runledger_migrations::Chain;
use runledger_storage::database::holder;
use runledger_storage::{file_system, sqlite_words};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{Error, Result};

/// Readers and a writer side by side where the file system can do that (a write-ahead log needs shared memory); and nothing that was committed is lost when
/// the power goes.
pub(crate) fn settle(connection: &Connection, folder: &Path) -> rusqlite::Result<()> {
    let mode = if file_system::is_shared(folder) {
        "DELETE"
    } else {
        "WAL"
    };
    connection.pragma_update(None, "journal_mode", mode)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// To look into a file that cannot be opened as usual, which is `why`: its write-ahead log has no index because the disk
/// has no room for one. SQLite keeps it in memory then, and nobody else can open the file meanwhile. Where somebody has
/// it open, it has an index.
pub(crate) fn open_alone(path: &Path, chain: &Chain, why: Error) -> Result<Connection> {
    let open = || -> runledger_migrations::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = runledger_migrations::connect(path, flags)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        chain.climb(&mut connection)?;
        Ok(connection)
    };
    match why.is_lock() {
        true => Err(why),
        false => open().map_err(|_| why),
    }
}

/// How the reason begins where another program has the file locked.
const LOCKED: &str = "it is locked by ";

/// How it begins where what the file has is no database of ours, or not any more.
const DAMAGED: &str = "it is damaged, or no database: ";

/// How it begins where a later program has written the file.
const NEWER: &str = "it has format v";

/// SQLite's words for what is wrong with the file at `path`; of one that is locked, by whom.
pub(crate) fn reason(path: &Path, error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => {
            let who = holder(path).unwrap_or_else(|| "another program".into());
            format!("{LOCKED}{who}")
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => format!("{DAMAGED}{error}"),
        _ => sqlite_words(path, error),
    }
}

/// Whether that is a lock.
pub(crate) fn is_lock(reason: &str) -> bool {
    reason.starts_with(LOCKED)
}

/// Whether that is a file without sense.
pub(crate) fn is_damage(reason: &str) -> bool {
    reason.starts_with(DAMAGED)
}

/// Whether that is the format of a later program.
pub(crate) fn is_newer(reason: &str) -> bool {
    reason.starts_with(NEWER)
}

/// The same, of a failure on the way to the latest schema.
pub(crate) fn reason_of_migration(path: &Path, error: &runledger_migrations::Error) -> String {
    use runledger_migrations::Error as Migration;
    match error {
        Migration::Sqlite(error) => reason(path, error),
        Migration::Newer { found, known } => {
            format!("{NEWER}{found}, this program knows up to v{known}")
        }
        Migration::WrongVersion { .. } => format!("{DAMAGED}{error}"),
        other => other.to_string(),
    }
}
