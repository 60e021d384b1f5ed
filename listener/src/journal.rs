//! How SQLite keeps our own two files safe, by the file system they are on.

use std::path::Path;

use runledger_storage::file_system;
use rusqlite::Connection;

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
