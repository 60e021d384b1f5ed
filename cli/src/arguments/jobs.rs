//! Jobs: which of them, and what is to become of them.

use clap::{Args, Subcommand};
use runledger_listener::ledger::State;

use super::Place;

/// The word for a job that was taken off the queue until it is retried.
pub(crate) const HELD: &str = "held";

/// Arguments of `jobs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Jobs {
    #[command(subcommand)]
    pub(crate) what: Option<JobsCommand>,
    #[command(flatten)]
    pub(crate) list: JobList,
}

/// Arguments of `jobs` alone.
#[derive(Debug, Args)]
pub(crate) struct JobList {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Also those that ended long ago
    #[arg(long)]
    pub(crate) all: bool,
    /// As JSON, with every attempt
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which jobs, by what they are.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Only jobs of this run; may be repeated
    #[arg(long = "run", value_name = "N")]
    pub(crate) runs: Vec<u32>,
    /// Only jobs in this state; may be repeated
    #[arg(long = "state", value_name = "STATE", value_parser = state_words())]
    pub(crate) states: Vec<String>,
}

/// The states that jobs are shown in.
fn state_words() -> clap::builder::PossibleValuesParser {
    let states = State::ALL.into_iter().map(State::as_str);
    states.chain([HELD]).collect::<Vec<_>>().into()
}

/// Commands on jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Everything that is known about jobs, with every attempt
    #[command(
        after_help = "Examples:\n  runledger jobs show 3f2a91bc\n  runledger jobs show --run 7 --json"
    )]
    Show {
        #[command(flatten)]
        named: Named,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What a job has printed, so far as its run's log tells it from other jobs
    #[command(
        after_help = "Examples:\n  runledger jobs log 3f2a91bc\n  runledger jobs log --run 7 --follow"
    )]
    Log {
        /// A job: the first letters of its id, or the queue's own, such as 123_4
        #[arg(required_unless_present = "run")]
        id: Option<String>,
        #[command(flatten)]
        place: Place,
        /// The latest job of this run
        #[arg(long, value_name = "N", conflicts_with = "id")]
        run: Option<u32>,
        /// Only this attempt
        #[arg(long, value_name = "NUMBER")]
        attempt: Option<u32>,
        /// Go on until the job is over
        #[arg(short, long)]
        follow: bool,
    },
    /// Jobs that are not wanted any more: off the queue, for good
    #[command(
        after_help = "Examples:\n  runledger jobs cancel 3f2a91bc\n  runledger jobs cancel --run 7 --run 8 --yes"
    )]
    Cancel(Chosen),
    /// Off the queue until they are retried: no failure
    #[command(after_help = "Example:\n  runledger jobs stop --state pending --yes")]
    Stop(Chosen),
    /// Ends jobs at once: they have failed
    #[command(after_help = "Example:\n  runledger jobs kill 123_4 --yes")]
    Kill(Chosen),
    /// Jobs that have ended, or are held, once more
    #[command(
        after_help = "Examples:\n  runledger jobs retry 3f2a91bc\n  runledger jobs retry --state failed --state lost --yes"
    )]
    Retry(Chosen),
}

/// Which jobs are to change.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Which jobs, by name or by what they are.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Jobs: the first letters of their ids, or the queue's own, such as 123_4 (123: the whole array)
    #[arg(value_name = "ID", conflicts_with_all = ["runs", "states", "all"])]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// All jobs to which this applies
    #[arg(long)]
    pub(crate) all: bool,
}
