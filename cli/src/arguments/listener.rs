//! The listener: what it watches, and how it runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::KeyValue;

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
