//! The demonstration.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// A Python that has the packages EXtra-data and xarray
    #[arg(long, default_value = "python3")]
    pub(crate) python: PathBuf,
    /// Make everything in this new folder and keep it
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}
