//! The run table in the terminal.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `table`.
#[derive(Debug, Args)]
pub(crate) struct Table {
    /// The database's folder
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Only these variables, by name or title, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// As JSON, one object a run
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// As CSV
    #[arg(long)]
    pub(crate) csv: bool,
}
