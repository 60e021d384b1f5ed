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
mod merged;
mod outbox;
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
pub use placing::{Handover, Setback};
pub use state::State;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runledger_migrations::{Chain, Step, VersionPlace};
use runledger_storage::sharing;
use rusqlite::{Connection, OpenFlags};

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

#[cfg(test)]
mod tests {
    use runledger_migrations::schema;

    use super::*;

    /// What a ledger of step 2 has: a job in memory's queue, one that runs, one that has ended.
    const PAST: &str = "
        INSERT INTO jobs (processing_id, proposal, run, data, request, state, submitted_by, planned_at) VALUES
            ('waits', 1, 1, 'raw', '{}', 'queued', 'me@here', 1.0),
            ('runs', 1, 2, 'raw', '{}', 'running', 'me@here', 2.0),
            ('done', 1, 3, 'raw', '{}', 'finished', 'me@here', 3.0);
        INSERT INTO attempts (processing_id, number, host, pid, pid_started, started_at, ended_at, exit_code) VALUES
            ('runs', 1, 'here', 12, 34, 2.5, NULL, NULL),
            ('done', 1, 'here', 13, 35, 3.5, 4.0, 0);";

    #[test]
    fn jobs_and_attempts_of_an_older_ledger_are_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let past = Chain {
            steps: &CHAIN.steps[..2],
            place: VersionPlace::OwnTable,
        };
        let mut old = Connection::open(&path).unwrap();
        past.climb(&mut old).unwrap();
        old.execute_batch(PAST).unwrap();
        drop(old);
        let ledger = Ledger::open(folder.path()).unwrap();
        let states: Vec<_> = ledger
            .jobs()
            .unwrap()
            .iter()
            .map(|entry| entry.state)
            .collect();
        assert_eq!(states, [State::Planned, State::Running, State::Finished]);
        let open = ledger.open_attempts().unwrap();
        assert_eq!(open.len(), 1);
        let process = open[0].attempt.process.clone().unwrap();
        assert_eq!(
            (process.host.as_str(), process.pid, process.started),
            ("here", 12, 34)
        );
        let done = ledger.last_attempt("done").unwrap().unwrap();
        assert_eq!((done.exit_code, done.ended_at), (Some(0), Some(4.0)));
        assert_eq!(ledger.take_ends().unwrap(), [], "that was long ago");
    }

    #[test]
    fn latest_sql_is_what_the_steps_amount_to() {
        let mut climbed = Connection::open_in_memory().unwrap();
        CHAIN.climb(&mut climbed).unwrap();
        let told = Connection::open_in_memory().unwrap();
        told.execute_batch(include_str!("../../schema/ledger/latest.sql"))
            .unwrap();
        assert_eq!(schema(&told).unwrap(), schema(&climbed).unwrap());
    }
}
