//! The command line as users type it: every command, option and help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use runledger_context::run::RunData;
use runledger_listener::ledger::State;

/// The word for a job that was taken off the queue until it is retried.
pub(crate) const HELD: &str = "held";

use crate::logging::LogFormat;

/// Looks at every run as soon as its data is there: evaluates your context file, keeps the results,
/// fills the table.
///
/// Knows the commands, files and messages of DAMNIT; its clients can go on reading what is stored.
#[derive(Debug, Parser)]
#[command(
    name = "runledger",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    /// Configuration file [default: $RUNLEDGER_CONFIG, or runledger.toml in the folder at work]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Say more (-v: debug, -vv: trace)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// How the log on stderr, and the listener's damnit.log, look
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t
    )]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up a new database folder
    #[command(
        after_help = "Example:\n  runledger init ./my-database --proposal 1234 --context context.py"
    )]
    Init(Init),

    /// See or change the settings of the database in this folder
    #[command(
        after_help = "Examples:\n  runledger db-config\n  runledger db-config context-python /usr/bin/python3\n  runledger db-config concurrent-jobs 8 --num\n  runledger db-config -d slurm-reservation"
    )]
    DbConfig(KeyValue),

    /// See or set the proposal that this folder's database belongs to
    #[command(after_help = "Examples:\n  runledger proposal\n  runledger proposal 1234")]
    Proposal {
        /// The new proposal number
        proposal: Option<u32>,
    },

    /// Give a database a new random identity, after it was copied
    #[command(after_help = "Example:\n  runledger new-id ./copy-of-my-database")]
    NewId {
        /// The database's folder
        #[arg(default_value = ".")]
        db_dir: PathBuf,
    },

    /// Read the context file, bring the list of variables up to date and announce what changed
    #[command(after_help = "Example:\n  cd my-database && runledger read-context")]
    ReadContext,

    /// Choose what the listener watches
    #[command(subcommand)]
    Listener(Listener),

    /// Run the listener: wait for runs and start a job for each
    #[command(
        after_help = "Examples:\n  runledger listen /path/to/listener-folder\n  runledger listen --daemonize /path/to/listener-folder\n  runledger listen --test      (type `PROPOSAL RUN raw|proc` by hand)"
    )]
    Listen(Listen),

    /// Evaluate the context file for one run, in the database's folder: what a job does
    #[command(
        after_help = "Examples:\n  runledger extract 1234 7 all\n  runledger extract 1234 7 raw --var pulse_energy --update-vars"
    )]
    Extract(Extract),

    /// Evaluate the context file again for some runs, or for all in the table
    #[command(
        after_help = "Examples:\n  runledger reprocess 7 8 9\n  runledger reprocess all --match energy --concurrent-jobs 20 --watch\n  runledger reprocess 7 --in 1234 --direct"
    )]
    Reprocess(Reprocess),

    /// See how the jobs of a database are; call them off or try them again
    #[command(
        after_help = "Examples:\n  runledger jobs\n  runledger jobs --in 1234 --state failed --state lost\n  runledger jobs show 3f2a91bc\n  runledger jobs log 123_4 --follow\n  runledger jobs retry --state failed --yes"
    )]
    Jobs(Jobs),

    /// Merge finished results into the runs' files and the table
    #[command(subcommand)]
    Combiner(Combiner),

    /// Show the run table in the terminal
    #[command(
        after_help = "Examples:\n  runledger table\n  runledger table ./my-database --columns pulse_energy,comment\n  runledger table --csv > table.csv"
    )]
    Table(Table),

    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Show the whole thing at work on made-up runs, on this machine
    #[command(after_help = "Example:\n  runledger demo --python venv/bin/python --keep ./demo")]
    Demo(Demo),

    /// Print the folder that a notebook puts on its PYTHONPATH, to use Pipelines
    #[command(after_help = "Example:\n  PYTHONPATH=$(runledger python-path) jupyter lab")]
    PythonPath,

    /// Save results that a Pipeline hands over on stdin
    #[command(hide = true)]
    SaveResults,

    /// Do the work of one task of a Slurm array, in the database's folder
    #[command(hide = true)]
    ExtractTask {
        /// What the ledger knows the array by
        token: String,
    },

    /// Print a completion script for your shell
    #[command(
        after_help = "Example:\n  runledger completions bash > ~/.local/share/bash-completion/completions/runledger"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

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

/// Commands on `listener.sqlite` in this folder.
#[derive(Debug, Subcommand)]
pub(crate) enum Listener {
    /// Watch a database
    #[command(
        after_help = "Examples:\n  runledger listener add 1234\n  runledger listener add 1234 /path/to/my-database"
    )]
    Add {
        /// Proposal number
        proposal: u32,
        /// The database's folder [default: the proposal's usual one]
        db_dir: Option<PathBuf>,
    },
    /// Stop watching a database (nothing is removed from its folder)
    #[command(after_help = "Example:\n  runledger listener rm /path/to/my-database")]
    Rm {
        /// The database's folder
        db_dir: PathBuf,
    },
    /// List the watched databases
    #[command(after_help = "Example:\n  runledger listener databases")]
    Databases {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// See or change the listener's settings
    #[command(
        after_help = "Examples:\n  runledger listener config\n  runledger listener config static-mode 0"
    )]
    Config(KeyValue),
    /// List notifications that wait, with what they wait for
    #[command(after_help = "Example:\n  runledger listener inbox")]
    Inbox {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List messages that could not be understood, or try them again
    #[command(
        after_help = "Examples:\n  runledger listener dead-letters\n  runledger listener dead-letters --replay 3\n  runledger listener dead-letters --replay all"
    )]
    DeadLetters {
        /// Hand this one, or `all`, to the listener again
        #[arg(long, value_name = "ID")]
        replay: Option<Letters>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Letters {
    /// All of them.
    All,
    /// The one of this number.
    One(i64),
}

impl std::str::FromStr for Letters {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let number = || word.parse().map(Self::One).ok();
        let which = (word == "all").then_some(Self::All).or_else(number);
        which.ok_or_else(|| format!("{word:?} is neither the number of a dead letter nor `all`"))
    }
}

/// Arguments of `listen`.
#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// The listener's folder
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Take `PROPOSAL RUN raw|proc` lines from the terminal instead of Kafka
    #[arg(long)]
    pub(crate) test: bool,
    /// Run it under supervisord, which starts it again when it ends; writes supervisord.conf into DIR
    #[arg(long, conflicts_with = "test")]
    pub(crate) daemonize: bool,
}

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

/// Which database.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Work in this proposal's or this database folder [default: the current folder]
    #[arg(long = "in", value_name = "P_OR_DIR")]
    pub(crate) within: Option<String>,
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

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell everything that is wrong with the configuration, at once
    #[command(after_help = "Example:\n  runledger config check --config runledger.toml")]
    Check,
}

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
