//! What can go wrong between a notification and an update.

use std::path::PathBuf;

use runledger_context::Error as ContextError;
use runledger_storage::is_of_the_disk;

use crate::journal;

/// What can go wrong between a notification and an update.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A Kafka client could not be made, or gave up for good.
    #[error("Kafka ({brokers}): {reason}")]
    Kafka {
        /// The broker's addresses.
        brokers: String,
        /// In the words of the Kafka library.
        reason: String,
    },
    /// A ledger cannot be read or written.
    #[error("the ledger {}: {reason}", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// In SQLite's words.
        reason: String,
    },
    /// The listener's own database cannot be read or written.
    #[error("the listener's database {}: {reason}", path.display())]
    ListenerDb {
        /// The file.
        path: PathBuf,
        /// In SQLite's words.
        reason: String,
    },
    /// The folder above all proposals is not there: which databases a proposal has cannot be told.
    #[error("the data root {} is not there", .0.display())]
    NoDataRoot(PathBuf),
    /// A folder failed a moment ago and is not asked again yet.
    #[error("{} is left alone for a while, it failed just now: {reason}", folder.display())]
    Resting {
        /// A database's folder, or the data root.
        folder: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// Another combiner is at work in this folder.
    #[error("another combiner is at work in {}: {by}", folder.display())]
    Combining {
        /// The database's folder.
        folder: PathBuf,
        /// That combiner: process, account, host.
        by: String,
    },
    /// Whether another combiner is at work in a folder cannot be told.
    #[error("the lock {}: {reason}", path.display())]
    CombinerLock {
        /// The file.
        path: PathBuf,
        /// In the words of the operating system.
        reason: String,
    },
    /// The address at which a monitor is to ask cannot be had.
    #[error("the monitor's address {address}: {reason}")]
    Monitor {
        /// The address.
        address: String,
        /// In the words of the operating system.
        reason: String,
    },
    /// A queue does not take a job, or does not answer.
    #[error("the queue: {0}")]
    Queue(String),
    /// A run's log cannot be written.
    #[error("the log {}: {reason}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// In the words of the operating system.
        reason: String,
    },
    /// The run table or a run's file.
    #[error(transparent)]
    Storage(#[from] runledger_storage::Error),
    /// There is a sandbox to be, and it cannot be had.
    #[error(transparent)]
    Sandbox(#[from] runledger_sandbox::Error),
    /// The users' Python.
    #[error(transparent)]
    Context(#[from] runledger_context::Error),
}

impl Error {
    /// Whether the same may succeed later without anybody doing anything about it in particular: a disk that is full or
    /// away, another program's lock.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Storage(why) => why.is_transient(),
            Self::Context(ContextError::NoRoom { source, .. })
            | Self::Context(ContextError::Unpack { source, .. }) => is_of_the_disk(source),
            Self::Ledger { .. } | Self::ListenerDb { .. } | Self::Log { .. } => true,
            _ => false,
        }
    }

    /// Whether a ledger or the listener's database has no sense, or no more.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Ledger { reason, .. } | Self::ListenerDb { reason, .. } if journal::is_damage(reason))
    }

    /// Whether a later program wrote a ledger or the listener's database.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Ledger { reason, .. } | Self::ListenerDb { reason, .. } if journal::is_newer(reason))
    }

    /// Whether another program has a database locked.
    pub(crate) fn is_lock(&self) -> bool {
        match self {
            Self::Storage(why) => matches!(why, runledger_storage::Error::DatabaseBusy { .. }),
            Self::Ledger { reason, .. } | Self::ListenerDb { reason, .. } => {
                journal::is_lock(reason)
            }
            _ => false,
        }
    }
}

/// What most functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
