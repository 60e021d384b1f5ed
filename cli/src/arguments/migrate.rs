//! Bringing old databases to the present format.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The format to bring it to [default: 4, the only one]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: Option<u32>,
    /// Say what would be done, and change nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Say which format it has, what would be done, and what is wrong with it and its run files
    #[arg(long, conflicts_with_all = ["to", "dry_run"])]
    pub(crate) check: bool,
    /// As JSON
    #[arg(long, requires = "check")]
    pub(crate) json: bool,
    /// Make the database what this copy is, or the only one there is; what it is now is kept
    #[arg(long, value_name = "COPY", conflicts_with_all = ["to", "dry_run", "check"])]
    pub(crate) restore: Option<Option<PathBuf>>,
    /// Don't ask
    #[arg(short, long, requires = "restore")]
    pub(crate) yes: bool,
    #[command(subcommand)]
    pub(crate) past: Option<Past>,
}

/// Formats of before the steps.
#[derive(Debug, Subcommand)]
pub(crate) enum Past {
    /// From format 0: one wide table, arrays without labels
    #[command(
        name = "v0-to-v1",
        after_help = "Examples:\n  runledger migrate v0-to-v1 --dry-run\n  runledger migrate v0-to-v1"
    )]
    Wide,
    /// From the early format 1, whose cells have a `stored_type`
    #[command(
        name = "intermediate-v1",
        after_help = "Examples:\n  runledger migrate intermediate-v1 --dry-run\n  runledger migrate intermediate-v1"
    )]
    Intermediate,
    /// Do something with the run files that are asked for on stdin
    #[command(hide = true)]
    Worker {
        /// What
        task: Task,
        /// The format of before the steps that the database has, or had
        #[arg(long)]
        from: Option<Before>,
    },
}

/// What is done with a run's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Find out what there is to change in it
    Survey,
    /// Change it
    Convert,
    /// Find out whether it can be read, and was left when the others were converted
    Check,
}

/// A format of before the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Before {
    /// Format 0
    Wide,
    /// The early format 1
    Intermediate,
}
