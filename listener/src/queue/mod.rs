//! Where jobs wait and run: a small trait, so that this machine, Slurm and a recorder look the same from outside.

mod foreground;
mod local;
mod process;
mod recorder;

pub use foreground::run_in_foreground;
pub(crate) use local::open_log;
pub use local::{LocalQueue, LocalSettings};
pub use process::Process;
pub use recorder::Recorder;

use std::path::Path;

use crate::Result;
use crate::job::Job;
use crate::ledger::Ending;

/// How a queue names a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ticket(pub String);

/// How far a queue is with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It waits.
    Waiting,
    /// It runs.
    Running,
    /// The queue does not have it any more.
    Gone,
    /// In the queue's own word, which we don't know.
    Other(String),
}

/// How much a queue has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Jobs that wait.
    pub waiting: usize,
    /// Jobs that run.
    pub running: usize,
}

/// A job that has left the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The job.
    pub job: Job,
    /// How its process ended.
    pub ending: Ending,
}

/// Something that runs jobs.
pub trait QueueManager {
    /// Whether it takes another job just now.
    fn can_submit(&self) -> bool;

    /// Takes a job that is in the ledger. The same job again changes nothing.
    ///
    /// # Errors
    /// It does not take it; the job is to be submitted again later.
    fn submit(&mut self, job: &Job) -> Result<Ticket>;

    /// Takes over the jobs of a database that an earlier process left unfinished.
    ///
    /// # Errors
    /// The ledger cannot be read.
    fn resume(&mut self, database_dir: &Path) -> Result<()>;

    /// How far it is with some jobs, in the order of the tickets.
    ///
    /// # Errors
    /// The queue does not answer.
    fn states(&mut self, tickets: &[Ticket]) -> Result<Vec<JobState>>;

    /// Ends a job, or takes it out of the line.
    ///
    /// # Errors
    /// The queue does not answer.
    fn delete(&mut self, ticket: &Ticket) -> Result<()>;

    /// How much it has to do.
    fn status(&self) -> QueueStatus;

    /// Lets it get on with its work, without waiting; returns the jobs that have ended since the last call.
    fn advance(&mut self) -> Vec<Ended>;
}

/// Who works here, for the record: `user@host`.
pub fn submitter() -> String {
    format!("{}@{}", user_name(), host_name())
}

/// This machine's name.
pub fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(
        |_| "localhost".into(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The account at work.
pub fn user_name() -> String {
    let id = nix::unistd::geteuid();
    match nix::unistd::User::from_uid(id) {
        Ok(Some(user)) => user.name,
        _ => id.to_string(),
    }
}
