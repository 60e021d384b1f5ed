//! Bringing old databases to the present format.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// Look at the run files that are asked for on stdin, or convert them
    #[command(hide = true)]
    Worker {
        /// Of a database of the early format 1, not 0
        #[arg(long)]
        intermediate: bool,
        /// Convert them
        #[arg(long)]
        convert: bool,
    },
}
