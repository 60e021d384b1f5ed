//! The sandbox: what this machine offers for it, and the programs that it is made of.

use std::ffi::OsString;

use clap::Subcommand;

/// What to do about sandboxes.
#[derive(Debug, Subcommand)]
pub(crate) enum Sandbox {
    /// Try what this machine offers to keep context files to what they need
    #[command(
        after_help = "Examples:\n  runledger sandbox check\n  runledger --config runledger.toml sandbox check --json"
    )]
    Check {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },

    /// Start a command in a sandbox: the part that stays outside
    #[command(hide = true)]
    Enter {
        /// What it is to be, as JSON
        order: String,
        /// What to run
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },

    /// Start a command in a sandbox: the part that is inside
    #[command(hide = true)]
    Settle {
        /// What it is to be, as JSON
        order: String,
        /// What to run
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },

    /// Try to get out of a sandbox
    #[command(hide = true)]
    Attempt {
        /// What to try it on, as JSON
        bait: String,
    },
}
