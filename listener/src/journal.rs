//! How SQLite keeps our own two files safe, by the file system they are on.

use std::path::Path;

use runledger_storage::database::holder;
use runledger_storage::file_system;
use rusqlite::{Connection, ErrorCode};

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

/// How the reason begins where another program has the file locked.
const LOCKED: &str = "it is locked by ";

/// SQLite's words for what is wrong with the file at `path`; of one that is locked, by whom.
pub(crate) fn reason(path: &Path, error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => {
            let who = holder(path).unwrap_or_else(|| "another program".into());
            format!("{LOCKED}{who}")
        }
        _ => error.to_string(),
    }
}

/// Whether that is a lock.
pub(crate) fn is_lock(reason: &str) -> bool {
    reason.starts_with(LOCKED)
}

/// The same, of a failure on the way to the latest schema.
pub(crate) fn reason_of_migration(path: &Path, error: &runledger_migrations::Error) -> String {
    match error {
        runledger_migrations::Error::Sqlite(error) => reason(path, error),
        other => other.to_string(),
    }
}
