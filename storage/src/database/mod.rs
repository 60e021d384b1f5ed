//! The run table of one folder: `runs.sqlite`, shared with DAMNIT's clients.
//!
//! Reading borrows a [`Database`], writing borrows it mutably and is one short transaction that takes
//! the write lock first. Other programs may hold that lock: a call waits for it as long as the
//! database was opened with, then fails with [`Error::DatabaseBusy`].

mod cells;
mod context_file;
mod create;
mod draft;
mod holder;
mod names;
mod open;
mod runs;
mod scan;
mod settings;
mod shown;
mod table;
mod table_cell;
mod tags;
mod user_variables;
mod variables;
pub(crate) mod views;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Error, Result};

pub use holder::holder;
pub(crate) use open::{BUSY_TIMEOUT, connect, is_writable, look_for};

pub use cells::{COMPUTED, MANUAL, Saved};
pub use context_file::add_context_file;
pub use names::{Refusal, is_variable_name};
pub use settings::SettingValue;
pub use shown::Shown;
pub use table::{Column, Table, TableRow};
pub use table_cell::TableCell;
pub use user_variables::{UserType, UserVariable};
pub use variables::{DeclaredVariable, VariableChanges};

/// The file's name in its folder.
pub const FILE_NAME: &str = "runs.sqlite";

/// An open run table.
#[derive(Debug)]
pub struct Database {
    conn: Connection,
    dir: PathBuf,
    path: PathBuf,
    version: u32,
    db_id: String,
}

impl Database {
    /// The folder that it is in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its format: the latest, or an older one if it can only be read and so could not be upgraded.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The random name of its update topic: 40 hexadecimal digits. Empty if it has none yet and can only be read.
    pub fn db_id(&self) -> &str {
        &self.db_id
    }

    /// The Kafka topic on which changes of this database are announced.
    pub fn update_topic(&self) -> String {
        format!("test.damnit.db-{}", self.db_id)
    }

    /// Sees whether it could be written now, and changes nothing: what takes long need not be begun in vain.
    ///
    /// # Errors
    /// [`Error::DatabaseBusy`], ….
    pub fn await_turn(&mut self) -> Result<()> {
        self.write(|_| Ok(()))
    }

    /// Runs `question`, whose statements see one state of the database.
    fn read<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let answer = || {
            let transaction = self.conn.unchecked_transaction()?;
            let answer = question(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        answer().map_err(|error| Error::sqlite(&self.path, error))
    }

    /// Runs `change` in one transaction: all of it is saved, or nothing.
    fn write<T>(&mut self, change: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        if self.version < runledger_migrations::LATEST {
            return Err(Error::DatabaseReadOnly {
                path: self.path.clone(),
            });
        }
        let conn = &mut self.conn;
        let save = || {
            let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = change(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        save().map_err(|error| Error::sqlite(&self.path, error))
    }
}

/// Seconds since 1970, as the database keeps times.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use runledger_context::run::{Proposal, RunId};

    use super::*;
    use crate::row::{CellValue, Row};

    #[test]
    fn a_full_disk_is_named_as_such_and_nothing_of_the_call_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let mut database = Database::create(folder.path(), Proposal(1)).unwrap();
        let pages: i64 = database
            .conn
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        database
            .conn
            .pragma_update(None, "max_page_count", pages + 2)
            .unwrap();
        let big = |name: &str| {
            let row = Row {
                value: CellValue::Blob(vec![0; 60_000]),
                ..Row::default()
            };
            (name.to_owned(), row)
        };
        let full =
            database.save_cells(RunId::new(1, 1), &[big("a"), big("b")], Some(1.0), COMPUTED);
        let error = full.unwrap_err();
        assert!(
            matches!(error, Error::DatabaseFull { .. }) && error.is_transient(),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains(database.path().to_str().unwrap())
        );
        assert_eq!(database.runs().unwrap(), []);
        database.ensure_run(RunId::new(1, 1), 1.0).unwrap();
    }
}
