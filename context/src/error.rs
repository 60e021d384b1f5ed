//! What can go wrong between us and the users' Python.

use std::io;
use std::path::PathBuf;

use crate::manifest::Problem;
use crate::run::RunId;

/// The result of a call into this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a context file could not be read or a run not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such interpreter, or it cannot be started.
    #[error("cannot start the Python {python}: {source}")]
    NoPython {
        /// The interpreter.
        python: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What sets up the interpreter's sandbox is not there, or cannot be started.
    #[error("cannot start {launcher}, which is to set up the sandbox of {python}: {source}")]
    NoLauncher {
        /// What could not be started.
        launcher: PathBuf,
        /// The interpreter.
        python: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The interpreter is older than the runtime's grammar.
    #[error("{python} is Python {version}: a context file needs 3.9 or newer")]
    TooOld {
        /// The interpreter.
        python: PathBuf,
        /// Its version.
        version: String,
    },
    /// The interpreter has no usable NumPy.
    #[error("{python} cannot import NumPy, which a context file needs: {reason}")]
    NoNumpy {
        /// The interpreter.
        python: PathBuf,
        /// What the import said.
        reason: String,
    },
    /// The runtime speaks another version of the protocol.
    #[error("the worker of {python} speaks protocol {found}, this program {expected}")]
    OtherProtocol {
        /// The interpreter.
        python: PathBuf,
        /// Its protocol.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// The program ended, or kept silent, before it greeted us.
    #[error("{python} does not answer as a Python: {how}")]
    NoGreeting {
        /// The program.
        python: PathBuf,
        /// How it ended.
        how: String,
    },
    /// What is in the place of the context file is none, or may not be read.
    #[error("the context file {path} cannot be read: {reason}")]
    UnreadableContextFile {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder, or its context file, is not there.
    #[error("there is no context file {path}")]
    NoContextFile {
        /// Where it should be.
        path: PathBuf,
    },
    /// The context file cannot be used; every problem that was found.
    #[error("{path} cannot be used: {}", list(problems))]
    ContextFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problems: Vec<Problem>,
        /// Python's traceback, if an exception was raised.
        traceback: Option<String>,
    },
    /// Python ended while it read the context file.
    #[error("Python stopped while reading {path}: {how}")]
    ContextDied {
        /// The file.
        path: PathBuf,
        /// How it ended.
        how: String,
    },
    /// The context file was still being read at the deadline.
    #[error("{path} was still being read when the time was up")]
    ContextTimedOut {
        /// The file.
        path: PathBuf,
    },
    /// The run's data could not be opened.
    #[error("cannot open {run}: {class}: {message}")]
    Unopened {
        /// The run.
        run: RunId,
        /// The exception's class name.
        class: String,
        /// Its message.
        message: String,
    },
    /// The worker sent what is no message of the protocol.
    #[error("the worker of {python} sent nonsense: {what}")]
    Nonsense {
        /// The interpreter.
        python: PathBuf,
        /// What was wrong with it.
        what: String,
    },
    /// The channel could not be made or used.
    #[error("the channel to the worker of {python} failed: {source}")]
    Channel {
        /// The interpreter.
        python: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A large result, which waits in a file until it is stored, has no room.
    #[error("there is no room for a large result in {folder}: {source}")]
    NoRoom {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What users' code hands in by itself cannot be read.
    #[error("the results that were handed in cannot be read: {what}")]
    Submission {
        /// What was wrong with it.
        what: String,
    },
    /// Somebody asked for the end.
    #[error("stopped before the context file was read")]
    Stopped,
    /// The runtime's files could not be put anywhere.
    #[error("cannot unpack the Python runtime into {folder}: {source}")]
    Unpack {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
