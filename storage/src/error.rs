//! What can go wrong with a database folder.

use std::io;
use std::path::{Path, PathBuf};

use runledger_migrations::Format;
use rusqlite::ErrorCode;

use crate::database::{Refusal, holder};
use crate::hdf5;
use crate::plain_words::plain_words;
use crate::sqlite_words::sqlite_words;

/// What can go wrong with a database folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no run table in the folder.
    #[error("{} has no database (runs.sqlite)", dir.display())]
    NoDatabase {
        /// The folder.
        dir: PathBuf,
    },
    /// There is a run table already, which was left alone.
    #[error("there is a database already: {}", path.display())]
    DatabaseExists {
        /// The file.
        path: PathBuf,
    },
    /// The file is no run table, or is damaged.
    #[error("{} is not a run table: {reason}", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What the database says of its format is no version; it was not touched.
    #[error(
        "{} says that its format (`data_format_version`) is {found}, not a positive integer",
        path.display()
    )]
    WrongVersion {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// A later program wrote the database; it was not touched.
    #[error("{} has format v{found}, this program knows up to v{known}", path.display())]
    NewerDatabase {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest format known here.
        known: u32,
    },
    /// The database has a format from which no steps lead on.
    #[error("{} has the legacy format {format}", path.display())]
    LegacyDatabase {
        /// The file.
        path: PathBuf,
        /// Which one.
        format: Format,
    },
    /// The database has another format than the one that was to be converted; it was not touched.
    #[error("{} has format {found}, not {wanted}", path.display())]
    NotOfFormat {
        /// The file.
        path: PathBuf,
        /// The format that it has.
        found: Format,
        /// The format that it should have.
        wanted: Format,
    },
    /// A run has two rows, which the present format rules out; nothing was changed.
    #[error("{run} is twice in the table of {}; remove one of the rows", path.display())]
    RunTwice {
        /// The file.
        path: PathBuf,
        /// The run.
        run: String,
    },
    /// There is too little room for new files beside the old ones; nothing was changed.
    #[error("{} bytes are needed in {}, {free} are free", needed, dir.display())]
    NoRoom {
        /// The folder.
        dir: PathBuf,
        /// How many bytes there should be.
        needed: u64,
        /// How many there are.
        free: u64,
    },
    /// An older database could not be brought to the latest format; it is as it was.
    #[error("{} could not be upgraded: {source}", path.display())]
    Upgrade {
        /// The file.
        path: PathBuf,
        /// What stood in the way.
        source: runledger_migrations::Error,
    },
    /// Another program held the database for longer than a call may wait.
    #[error("{} is locked by {holder}", path.display())]
    DatabaseBusy {
        /// The file.
        path: PathBuf,
        /// The program that held it last, as far as this machine knows.
        holder: String,
    },
    /// The database can only be read: it, or its folder, is write-protected.
    #[error("{} is read-only, or its folder is", path.display())]
    DatabaseReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// There is no room for what was to be saved; the database is as it was.
    #[error("{}: No space left on device; make room", path.display())]
    DatabaseFull {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refused for another reason; the database is as it was.
    #[error("database {}: {}", path.display(), sqlite_words(path, source))]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The database's own proposal is none.
    #[error("the setting `proposal` of {} is {found}, and that is no proposal's number", path.display())]
    BadProposal {
        /// The database file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// A variable can't have this name.
    #[error("{name:?} can't name a variable: {why}")]
    BadVariableName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: Refusal,
    },
    /// A variable of this name is there already.
    #[error("{} has a variable {name:?} already", path.display())]
    VariableExists {
        /// The database file.
        path: PathBuf,
        /// The variable.
        name: String,
    },
    /// No variable has this name or title.
    #[error("{} has no variable with the name or title {name:?}", path.display())]
    NoSuchVariable {
        /// The database file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A file of results cannot be read or written.
    #[error("{}: {}", path.display(), plain_words(reason))]
    Results {
        /// The file.
        path: PathBuf,
        /// In HDF5's words.
        reason: String,
    },
    /// A run's file cannot be understood; nobody touches it. Its new results stay in their fragments.
    #[error(
        "{} is damaged, or no HDF5 file any more ({reason}); new results wait in their fragments. Move it aside, then \
         `runledger combiner now` merges them, and `runledger reprocess` computes again what else it had",
        path.display()
    )]
    DamagedRunFile {
        /// The run's file.
        path: PathBuf,
        /// In HDF5's words.
        reason: String,
    },
    /// A result is of a kind that HDF5 cannot hold.
    #[error("{name} cannot be stored: {reason}")]
    NotStorable {
        /// The variable.
        name: String,
        /// What is wrong with its result.
        reason: String,
    },
    /// Another process merges into the run's file.
    #[error("{} is being written by another process", path.display())]
    RunFileBusy {
        /// The run's file.
        path: PathBuf,
    },
    /// A file or folder could not be made, read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// What most functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// Whether the disk is at fault, and not a path or a permission.
pub fn is_of_the_disk(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(hdf5::is_errno_of_the_disk)
}

impl Error {
    /// Whether the same call may succeed later without anybody doing anything about it in particular:
    /// another program's lock, a full disk, a network file system that is away for a while.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::DatabaseBusy { .. } | Self::DatabaseFull { .. } | Self::RunFileBusy { .. } => {
                true
            }
            Self::Sqlite { source, .. } => {
                source.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
            }
            Self::File { source, .. } => is_of_the_disk(source),
            Self::Results { reason, .. } => hdf5::is_of_the_disk(reason),
            _ => false,
        }
    }

    /// Whether the operating system refused to read or write results, which says nothing about what is in them.
    pub fn is_of_the_system(&self) -> bool {
        matches!(self, Self::Results { reason, .. } if hdf5::is_of_the_system(reason))
    }

    /// Whether a result is at fault, and not the disk.
    pub fn is_not_storable(&self) -> bool {
        matches!(self, Self::NotStorable { .. })
    }

    /// What HDF5 says of the file at `path`.
    pub(crate) fn results(path: &Path, reason: String) -> Self {
        Self::Results {
            path: path.into(),
            reason,
        }
    }

    /// What SQLite says of the database at `path`.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::DatabaseBusy {
                holder: holder(&path).unwrap_or_else(|| "another program".into()),
                path,
            },
            Some(ErrorCode::ReadOnly) => Self::DatabaseReadOnly { path },
            Some(ErrorCode::DiskFull) => Self::DatabaseFull { path },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::NotADatabase {
                path,
                reason: source.to_string(),
            },
            _ => Self::Sqlite { path, source },
        }
    }

    /// What the migrations say of the database at `path`.
    pub(crate) fn migration(path: &Path, source: runledger_migrations::Error) -> Self {
        use runledger_migrations::Error as Migration;
        match source {
            Migration::Sqlite(source) => Self::sqlite(path, source),
            Migration::Newer { found, known } => Self::NewerDatabase {
                path: path.into(),
                found,
                known,
            },
            Migration::NoSteps(Format::Foreign) => Self::NotADatabase {
                path: path.into(),
                reason: "it has no `data_format_version`".into(),
            },
            Migration::NoSteps(format) => Self::LegacyDatabase {
                path: path.into(),
                format,
            },
            Migration::WrongVersion { found } => Self::WrongVersion {
                path: path.into(),
                found,
            },
            source => Self::Upgrade {
                path: path.into(),
                source,
            },
        }
    }
}
