//! Evaluating runs: which variables of which runs, and how.

use clap::{Args, ValueEnum};
use runledger_context::run::RunData;

use super::Place;

/// Which part of a run's data.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Part {
    /// Variables that need raw data only
    Raw,
    /// Variables that need calibrated data
    Proc,
    /// All variables
    All,
}

impl From<Part> for RunData {
    fn from(part: Part) -> Self {
        match part {
            Part::Raw => Self::Raw,
            Part::Proc => Self::Proc,
            Part::All => Self::All,
        }
    }
}

/// Which variables; shared by `extract` and `reprocess`.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Only variables whose title contains this text (any case); may be repeated
    #[arg(long = "match", value_name = "TEXT")]
    pub(crate) matches: Vec<String>,
    /// Only this variable, by its exact name; may be repeated, overrides --match
    #[arg(long = "var", value_name = "NAME")]
    pub(crate) variables: Vec<String>,
    /// Give a value to `param#NAME` arguments; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) params: Vec<(String, String)>,
    /// Evaluate with a stand-in for the run's data
    #[arg(long)]
    pub(crate) mock: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Arguments of `extract`.
#[derive(Debug, Args)]
pub(crate) struct Extract {
    /// Proposal number
    pub(crate) proposal: u32,
    /// Run number
    pub(crate) run: u32,
    /// Which part of the run's data
    pub(crate) data: Part,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Evaluate the variables marked cluster=True instead of the others
    #[arg(long)]
    pub(crate) cluster_job: bool,
    /// Bring the list of variables in the database up to date first
    #[arg(long)]
    pub(crate) update_vars: bool,
    /// Evaluate the context file in this sandbox: a command that is given the proposal, `--`, and what to run
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub(crate) sandbox_args: Option<String>,
    /// The job's identity in updates and in the ledger [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) processing_id: Option<String>,
    /// Which of the job's attempts in the ledger this is [default: a new one]
    #[arg(long, value_name = "NUMBER", requires = "processing_id")]
    pub(crate) attempt: Option<u32>,
}

/// Arguments of `reprocess`.
#[derive(Debug, Args)]
pub(crate) struct Reprocess {
    /// Run numbers, or `all` for every run in the table
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Take the runs from this proposal [default: the database's own; with `all`, every one]
    #[arg(long)]
    pub(crate) proposal: Option<u32>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Stay until all jobs are over, and show how they go; Ctrl-C leaves them alone
    #[arg(long)]
    pub(crate) watch: bool,
    /// Run the jobs on this machine, one after the other, and show what they print
    #[arg(long, conflicts_with = "concurrent_jobs")]
    pub(crate) direct: bool,
    /// So many of the jobs run at once [default: the database's setting concurrent_jobs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrent_jobs: Option<u32>,
}
