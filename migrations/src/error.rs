//! What can go wrong on the way from one schema to the next.

use std::path::PathBuf;

use crate::format::Format;

/// What can go wrong on the way from one schema to the next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database was written by a later program; it was not touched.
    #[error("the database has format v{found}, this program knows up to v{known}")]
    Newer {
        /// The version it has.
        found: i64,
        /// The latest version that this program knows.
        known: u32,
    },
    /// The format is not one from which steps lead on: the one wide table of before format 1, the early format 1,
    /// or no run table at all.
    #[error("the format is {0}: it is not upgraded by steps")]
    NoSteps(Format),
    /// The version is not a positive integer, so nothing can be said about the schema.
    #[error("the database's format version is {found}, not a positive integer")]
    WrongVersion {
        /// The value as SQLite would print it, with its type.
        found: String,
    },
    /// The copy that is made before an upgrade could not be made; nothing was upgraded.
    #[error("no backup could be made at {}: {reason}", path.display())]
    Backup {
        /// Where the copy was to be.
        path: PathBuf,
        /// What stood in the way.
        reason: String,
    },
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// What most functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
