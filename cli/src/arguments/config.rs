//! Looking at the configuration.

use clap::Subcommand;

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell everything that is wrong with the configuration, at once
    #[command(after_help = "Example:\n  runledger config check --config runledger.toml")]
    Check,
}
