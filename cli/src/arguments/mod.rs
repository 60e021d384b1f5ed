//! The command line as users type it: every command, option and help text.

mod combiner;
mod config;
mod database;
mod demo;
mod evaluation;
mod jobs;
mod listener;
mod migrate;
mod sandbox;
mod table;

pub(crate) use combiner::Combiner;
pub(crate) use config::ConfigCommand;
pub(crate) use database::{Init, KeyValue};
pub(crate) use demo::Demo;
pub(crate) use evaluation::{Choice, Extract, Reprocess};
pub(crate) use jobs::{Chosen, HELD, JobList, Jobs, JobsCommand, Named, Selection};
pub(crate) use listener::{Letters, Listen, Listener};
pub(crate) use migrate::{Before, Migrate, Past, Task};
pub(crate) use sandbox::Sandbox;
pub(crate) use table::Table;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::logging::LogFormat;

/// What stands over the options that each command has, below its own.
const EVERYWHERE: &str = "Options of every command";

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
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Say more (-v: debug, -vv: trace)
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say only what went wrong
    #[arg(short, long, global = true, help_heading = EVERYWHERE, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// How the log on stderr, and the listener's damnit.log, look
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
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

    /// Bring this folder's old database to the present format; look what is wrong with it; go back to a copy
    #[command(
        after_help = "Examples:\n  runledger migrate --check\n  runledger migrate --to 4 --dry-run\n  runledger migrate --to 4\n  runledger migrate --restore runs.v3-backup.sqlite\n  runledger migrate v0-to-v1 --dry-run"
    )]
    Migrate(Migrate),

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

    /// See how the jobs are, of a database or of all that a listener watches; call them off or try them again
    #[command(
        after_help = "Examples:\n  runledger jobs\n  runledger jobs --in ./listener-folder --state failed      (of all databases that it watches)\n  runledger jobs --in 1234 --state failed --state lost\n  runledger jobs show 3f2a91bc\n  runledger jobs log 123_4 --follow\n  runledger jobs retry --state failed --yes"
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

    /// Keep context files to what they need
    #[command(subcommand)]
    Sandbox(Sandbox),

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

/// Which database.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Work in this proposal's or this database folder [default: the current folder]
    #[arg(long = "in", value_name = "P_OR_DIR")]
    pub(crate) within: Option<String>,
}
