//! What can be wrong with a database, in words for those who have to do something about it.

use std::path::PathBuf;

use runledger_context::run::RunId;
use runledger_migrations::Format;

/// Something that is wrong with a database or its run files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// SQLite finds the file damaged.
    #[error("the file is damaged: {0}; `migrate --restore` goes back to a copy, if there is one")]
    Damaged(String),
    /// Something of the database's format is missing.
    #[error("its format has {0}, which is missing")]
    Missing(String),
    /// Another program's upgrade stopped between a change and its version.
    #[error("an upgrade to v{0} was interrupted; `migrate --to 4` finishes it")]
    HalfUpgraded(u32),
    /// Cells of runs that have no row.
    #[error("{count} cells belong to runs that are not in the table, such as {example}")]
    CellsWithoutRun {
        /// How many cells.
        count: u32,
        /// One of the runs.
        example: RunId,
    },
    /// A run has two rows, which its format did not rule out.
    #[error("{0} is there twice; remove one of the rows")]
    Twice(String),
    /// Rows whose proposal, run or name is of a type that it cannot have.
    #[error("{count} rows of {table} have a proposal, run or name of the wrong type")]
    WrongTypes {
        /// The table.
        table: &'static str,
        /// How many rows.
        count: u32,
    },
    /// Cells of variables that are not listed: clients do not read them.
    #[error("cells of {} are in no client's table: the variables are not listed; `read-context` lists those of the context file", .0.join(", "))]
    Unlisted(Vec<String>),
    /// Tags that no variable has, or that belong to variables that are gone.
    #[error("{0} tags belong to no variable")]
    LooseTags(u32),
    /// A view lacks variables.
    #[error("the view {view} lacks {}; the next new variable remakes it", missing.join(", "))]
    StaleView {
        /// The view.
        view: &'static str,
        /// The variables.
        missing: Vec<String>,
    },
    /// Triggers that the format does not have. We run none: [`runledger_migrations::connect`].
    #[error("its format has no trigger {}: other programs run it, Runledger does not", .0.join(", "))]
    Triggers(Vec<String>),
    /// A run's file cannot be read.
    #[error("the file of {run} cannot be read: {reason}")]
    UnreadableFile {
        /// The run.
        run: RunId,
        /// Why.
        reason: String,
    },
    /// A run's file has not been converted, though its table has.
    #[error("the file of {run} still has the format {format}; `runledger migrate` converts it")]
    OldFile {
        /// The run.
        run: RunId,
        /// The format.
        format: Format,
    },
    /// A file of a run that is not in the table.
    #[error("{} belongs to a run that is not in the table; `reprocess` adds it", .0.display())]
    FileWithoutRun(PathBuf),
}
