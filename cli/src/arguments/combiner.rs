//! The combiner, as a service or once.

use std::path::PathBuf;

use clap::Subcommand;

/// Commands of the combiner.
#[derive(Debug, Subcommand)]
pub(crate) enum Combiner {
    /// Run as a service: merge results as they are announced
    #[command(after_help = "Example:\n  runledger combiner run")]
    Run,
    /// Merge everything that is ready in one database folder, now
    #[command(after_help = "Example:\n  runledger combiner now ./my-database")]
    Now {
        /// The database's folder
        db_dir: PathBuf,
    },
    /// Merge what the service asks for on stdin
    #[command(hide = true)]
    Worker {
        /// Keep news for the service to publish
        #[arg(long)]
        tells: bool,
    },
}
