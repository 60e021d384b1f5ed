//! Bringing old databases to the present format.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The format to bring it to [default: 4, the only one]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: Option<u32>,
    /// Say what would be done, and change nothing
    #[arg(long)]
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
}
