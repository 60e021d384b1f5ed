//! `ledger.sqlite` in a database's folder: what was to be done, what was done, and what waits to be told.
//!
//! Not in `runs.sqlite`: that one is shared with programs that lock it.

mod attempts;
mod calling_off;
mod claims;
mod ending;
mod ends;
mod jobs;
mod line;
mod making;
mod merged;
mod outbox;
#[cfg(test)]
mod past;
mod placing;
mod state;
mod unreadable;

pub use attempts::{Attempt, Ending};
pub use calling_off::Unfinished;
pub use claims::Claim;
pub use ends::End;
pub use jobs::{Entry, Planned, Progress, Wanted};
pub(crate) use line::LONGEST_WAIT;
pub use line::{Load, Open};
pub use outbox::Waiting;
pub use placing::{Cost, Handover, Setback};
pub use state::State;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runledger_migrations::{Chain, Step, VersionPlace};
use runledger_storage::sharing;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::{Error, Result, journal};

const CHAIN: Chain = Chain {
    steps: &[
        Step {
            version: 1,
            title: "jobs, attempts and outbox",
            sql: include_str!("../../schema/ledger/0001_jobs_and_outbox.sql"),
            done: None,
        },
        Step {
            version: 2,
            title: "progress of jobs",
            sql: include_str!("../../schema/ledger/0002_progress.sql"),
            done: None,
        },
        Step {
            version: 3,
            title: "queues",
            sql: include_str!("../../schema/ledger/0003_queues.sql"),
            done: None,
        },
        Step {
            version: 4,
            title: "how new merged values are",
            sql: include_str!("../../schema/ledger/0004_merged.sql"),
            done: None,
        },
        Step {
            version: 5,
            title: "messages without a job of their own",
            sql: include_str!("../../schema/ledger/0005_coalesced.sql"),
            done: None,
        },
        Step {
            version: 6,
            title: "ends that were told of",
            sql: include_str!("../../schema/ledger/0006_told.sql"),
            done: None,
        },
        Step {
            version: 7,
            title: "attempts that never began",
            sql: include_str!("../../schema/ledger/0007_unbegun.sql"),
            done: None,
        },
    ],
    place: VersionPlace::OwnTable,
};

/// How long another program may hold the ledger before a call gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The ledger of one database.
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
}

impl Ledger {
    /// Whether a database has one. What is no file in its place counts: whoever opens it says what it is.
    pub fn is_in(database_dir: &Path) -> bool {
        database_dir
            .join("ledger.sqlite")
            .symlink_metadata()
            .is_ok()
    }

    /// Opens the ledger of the database in `database_dir`, and makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Ledger`], naming the file.
    pub fn open(database_dir: &Path) -> Result<Self> {
        Self::open_with_patience(database_dir, PATIENCE)
    }

    /// [`open`](Self::open) for one that cannot wait for long while another program holds it.
    ///
    /// # Errors
    /// [`Error::Ledger`], naming the file.
    pub fn open_with_patience(database_dir: &Path, patience: Duration) -> Result<Self> {
        let path = database_dir.join("ledger.sqlite");
        // What keeps it from being made is told by SQLite.
        let _ = making::make_sure_of(&path);
        let connection = prepare(&path, patience).map_err(|reason| Error::Ledger {
            path: path.clone(),
            reason,
        })?;
        let ledger = Self { connection, path };
        let shared = sharing::share_file(&ledger.path);
        shared.map_err(|reason| Error::Ledger {
            path: ledger.path.clone(),
            reason: reason.to_string(),
        })?;
        Ok(ledger)
    }

    /// Opens the ledger of the database in `database_dir` to look into it: also on a disk that has no room for what
    /// SQLite keeps beside a file that is written. Nobody else can open it then for as long as this is looked at.
    ///
    /// # Errors
    /// [`Error::Ledger`], naming the file.
    pub fn open_to_read(database_dir: &Path) -> Result<Self> {
        Self::open(database_dir).or_else(|why| {
            let path = database_dir.join("ledger.sqlite");
            let connection = journal::open_alone(&path, &CHAIN, why)?;
            Ok(Self { connection, path })
        })
    }

    /// The database's folder.
    pub(crate) fn database_dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Sees whether it could be written now, and changes nothing.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub(crate) fn await_turn(&mut self) -> Result<()> {
        let begun = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let ended = begun.and_then(|transaction| transaction.commit());
        self.done(ended)
    }

    /// How many rows were written through this handle.
    pub(crate) fn written(&self) -> u64 {
        self.connection.total_changes()
    }

    fn done<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|error| Error::Ledger {
            path: self.path.clone(),
            reason: journal::reason(&self.path, &error),
        })
    }
}

fn prepare(path: &Path, patience: Duration) -> std::result::Result<Connection, String> {
    let reason = |error| journal::reason(path, &error);
    let opened = runledger_migrations::connect(path, OpenFlags::default());
    let mut connection = opened.map_err(reason)?;
    let settle = |connection: &Connection| -> rusqlite::Result<()> {
        connection.busy_timeout(patience)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        journal::settle(connection, path.parent().unwrap_or(Path::new(".")))
    };
    settle(&connection).map_err(reason)?;
    CHAIN
        .climb(&mut connection)
        .map_err(|error| journal::reason_of_migration(path, &error))?;
    Ok(connection)
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |t| t.as_secs_f64())
}
