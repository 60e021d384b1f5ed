//! Why nothing can be run in a sandbox.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Part;

/// The result of a call into this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why nothing can be run in a sandbox: then it is not run without one either.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The wrapper's words are no command line.
    #[error("the sandbox's wrapper `{words}` is no command line: {why}")]
    Words {
        /// As they were given.
        words: String,
        /// What is wrong with them.
        why: String,
    },
    /// The wrapper is not there, or may not be run.
    #[error("the sandbox's wrapper `{words}` cannot be started: {source}")]
    NotStarted {
        /// As they were given.
        words: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The wrapper did not run what it was given.
    #[error("the sandbox's wrapper `{words}` does not run programs: {how}")]
    Refuses {
        /// As they were given.
        words: String,
        /// How it ended, and what it said.
        how: String,
    },
    /// The wrapper did not come to an end.
    #[error(
        "the sandbox's wrapper `{words}` did not run `whoami` within {} s: it hangs",
        limit.as_secs()
    )]
    Hangs {
        /// As they were given.
        words: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The wrapper is told the proposal, and there is none.
    #[error(
        "the sandbox's wrapper is told the proposal, and the database has none: `runledger proposal NUMBER` sets it"
    )]
    NoProposal,
    /// The folder for the job's own files cannot be made.
    #[error("no folder for the job's own files can be made in {}: {source}", folder.display())]
    NoScratch {
        /// Where.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A link leads where somebody else wants it to.
    #[error("the sandbox does not follow the link {} on the way to {}: {why}", link.display(), path.display())]
    Link {
        /// What was to be read or written.
        path: PathBuf,
        /// Whose way leads over it.
        link: PathBuf,
        /// Whose it is, and what to do.
        why: String,
    },
    /// Context files could write the database's folder.
    #[error(
        "`[sandbox] write` names {}, in which the database's folder lies: context files could put another in its place; \
         name a folder beside it",
        place.display()
    )]
    DatabaseWritten {
        /// What is named, or where that leads.
        place: PathBuf,
    },
    /// What is to be read or written cannot be opened.
    #[error("the sandbox cannot have {} in it: {source}", path.display())]
    Place {
        /// What was to be read or written.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// This program does not find itself.
    #[error("this program does not find itself: {0}")]
    NoProgram(io::Error),
    /// The kernel does not have one of the parts, or does not let us use it.
    #[error(
        "the sandbox's part `{part}` cannot be had: {why}; nothing is run without it (`runledger sandbox check` tells \
         what this machine offers)"
    )]
    Missing {
        /// Which.
        part: Part,
        /// What was refused.
        why: String,
    },
    /// What the launcher was told makes no sense.
    #[error("the sandbox was given {0}")]
    Order(String),
    /// What is to be run inside cannot be started.
    #[error("{} cannot be started in the sandbox: {source}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
