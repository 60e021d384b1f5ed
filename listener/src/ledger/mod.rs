//! `ledger.sqlite` in a database's folder: what was to be done, what was done, and what waits to be told.
//!
//! Not in `runs.sqlite`: that one is shared with programs that lock it.

mod attempts;
mod claims;
mod ending;
mod jobs;
mod line;
mod merged;
mod outbox;
mod placing;
mod sources;
mod state;

pub use attempts::{Attempt, Ending};
pub use claims::Claim;
pub use jobs::{Entry, Planned, Progress, Wanted};
pub use line::{Load, Open};
pub use outbox::Waiting;
pub use placing::{Handover, Setback};
pub use state::State;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runledger_migrations::{Chain, Step, VersionPlace};
use runledger_storage::sharing;
use rusqlite::Connection;

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

    /// The database's folder.
    pub(crate) fn database_dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn done<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|reason| Error::Ledger {
            path: self.path.clone(),
            reason: reason.to_string(),
        })
    }
}

fn prepare(path: &Path, patience: Duration) -> std::result::Result<Connection, String> {
    let mut connection = Connection::open(path).map_err(|e| e.to_string())?;
    let settle = |connection: &Connection| -> rusqlite::Result<()> {
        connection.busy_timeout(patience)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        journal::settle(connection, path.parent().unwrap_or(Path::new(".")))
    };
    settle(&connection).map_err(|e| e.to_string())?;
    CHAIN.climb(&mut connection).map_err(|e| e.to_string())?;
    Ok(connection)
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |t| t.as_secs_f64())
}
