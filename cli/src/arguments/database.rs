//! Setting up a database, and the settings of databases and listeners.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// A proposal number (its usual folder is taken) or a folder
    pub(crate) proposal_or_dir: String,
    /// The proposal number, where the folder does not tell
    #[arg(long)]
    pub(crate) proposal: Option<u32>,
    /// Copy context file and user-editable variables from this proposal or database folder
    #[arg(long, value_name = "P_OR_DIR")]
    pub(crate) like: Option<String>,
    /// Copy this context file
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Option<PathBuf>,
}

/// Arguments of the commands that show and change settings.
#[derive(Debug, Args)]
pub(crate) struct KeyValue {
    /// The setting; without it, all are listed
    pub(crate) key: Option<String>,
    /// Its new value
    #[arg(requires = "key", allow_hyphen_values = true)]
    pub(crate) value: Option<String>,
    /// Remove the setting
    #[arg(short, long, requires = "key", conflicts_with = "value")]
    pub(crate) delete: bool,
    /// Store the value as a number
    #[arg(long, requires = "value")]
    pub(crate) num: bool,
}
