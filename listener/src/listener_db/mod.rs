//! `listener.sqlite` in the listener's folder: what is watched, the settings, what came in.

mod dead_letters;
mod heard;
mod inbox;
#[cfg(test)]
mod past;
mod pruning;
mod settings;
mod watched;

pub use dead_letters::DeadLetter;
pub use inbox::Letter;
pub(crate) use inbox::{Fate, Sorted};
pub(crate) use pruning::{KEPT, PRUNED_AT_ONCE};

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runledger_migrations::{Chain, Step, VersionPlace};
use rusqlite::{Connection, OpenFlags};

use crate::{Error, Result, journal};

/// The file's name in its folder.
pub const FILE_NAME: &str = "listener.sqlite";

const CHAIN: Chain = Chain {
    steps: &[
        Step {
            version: 1,
            title: "what is watched, and settings",
            sql: include_str!("../../schema/listener/0001_watched_and_settings.sql"),
            done: None,
        },
        Step {
            version: 2,
            title: "inbox and dead letters",
            sql: include_str!("../../schema/listener/0002_inbox.sql"),
            done: None,
        },
        Step {
            version: 3,
            title: "where the messages in the inbox were read",
            sql: include_str!("../../schema/listener/0003_inbox_positions.sql"),
            done: None,
        },
        Step {
            version: 4,
            title: "what was handled, by time",
            sql: include_str!("../../schema/listener/0004_inbox_handled.sql"),
            done: None,
        },
    ],
    place: VersionPlace::OwnTable,
};

/// How long another program may hold the file before a call gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The listener's own database.
pub struct ListenerDb {
    connection: Connection,
    path: PathBuf,
}

impl ListenerDb {
    /// Opens the one in `dir`, also one that DAMNIT made; makes it where there is none.
    ///
    /// # Errors
    /// [`Error::ListenerDb`], naming the file.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_with_patience(dir, PATIENCE)
    }

    /// [`open`](Self::open) for one that cannot wait for long, then and later, while another program holds it.
    ///
    /// # Errors
    /// [`Error::ListenerDb`], naming the file.
    pub fn open_with_patience(dir: &Path, patience: Duration) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let connection = prepare(&path, dir, patience).map_err(|reason| Error::ListenerDb {
            path: path.clone(),
            reason,
        })?;
        let mut db = Self { connection, path };
        db.set_defaults()?;
        Ok(db)
    }

    /// Opens the one in `dir` to look into it, as [`Ledger::open_to_read`](crate::ledger::Ledger::open_to_read).
    ///
    /// # Errors
    /// [`Error::ListenerDb`], naming the file.
    pub fn open_to_read(dir: &Path) -> Result<Self> {
        Self::open(dir).or_else(|why| {
            let path = dir.join(FILE_NAME);
            let connection = journal::open_alone(&path, &CHAIN, why)?;
            Ok(Self { connection, path })
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn done<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|reason| Error::ListenerDb {
            path: self.path.clone(),
            reason: journal::reason(&self.path, &reason),
        })
    }
}

fn prepare(path: &Path, dir: &Path, patience: Duration) -> std::result::Result<Connection, String> {
    let reason = |error| journal::reason(path, &error);
    let opened = runledger_migrations::connect(path, OpenFlags::default());
    let mut connection = opened.map_err(reason)?;
    connection.busy_timeout(patience).map_err(reason)?;
    journal::settle(&connection, dir).map_err(reason)?;
    CHAIN
        .climb(&mut connection)
        .map_err(|error| journal::reason_of_migration(path, &error))?;
    Ok(connection)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |t| t.as_secs_f64())
}
