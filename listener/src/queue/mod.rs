//! Where jobs wait and run: a small trait, so that this machine, Slurm and a recorder look the same from outside.
//!
//! What queues have in common (the waiting line, limits, retries, the end of a job) is in `dispatch`.

mod deadlines;
mod foreground;
mod inherited;
mod local;
mod process;
mod recorder;
mod slurm;
mod surroundings;
mod wrapped;

pub use foreground::run_in_foreground;
pub(crate) use local::open_log;
pub use local::{GRACE, LocalQueue, LocalSettings, TRY_AGAIN};
pub use process::Process;
pub use recorder::Recorder;
pub use slurm::{
    Netgroup, QueueRow, Records, SlurmQueue, SlurmSettings, job_number, queue_rows, task_command,
};
pub use surroundings::{Clusters, Surroundings};
pub use wrapped::WRAPPER_VARIABLE;

use std::sync::Arc;
use std::time::Duration;

use crate::Result;
use crate::job::{Job, Request};
use crate::ledger::{Attempt, Ending, Handover};

/// How a queue names a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// `123`, or `123_4` in an array; on this machine the process's number.
    pub id: String,
    /// The cluster, where there are such.
    pub cluster: Option<String>,
}

/// How far a queue is with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It waits, for a reason in words; empty: for none that is worth a word.
    Waiting(String),
    /// It would wait for ever, for a reason in words that is no person's wish.
    Stuck(String),
    /// It runs.
    Running,
    /// It has ended.
    Ended(Account),
    /// The queue does not know it (any more).
    Gone,
    /// Nothing is known just now: whoever knows does not answer.
    Silent,
    /// In the queue's own word, which we don't know.
    Other(String),
}

/// What a queue knows about the end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// How its process ended.
    pub ending: Ending,
    /// Whose doing that was.
    pub fault: Fault,
    /// The most memory that it took, in bytes.
    pub peak_memory: Option<u64>,
    /// Why, in words: `its process ended with exit code 1`.
    pub words: String,
}

/// Whose doing the end of a job was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The job's, or nobody's: it would end so again.
    Job,
    /// The queue's or a machine's: it is worth another try.
    Queue,
    /// Nobody knows: it is not there any more, and worth another try unless the job itself has said how it went.
    Vanished,
    /// Somebody took it off the queue.
    Person,
}

/// A job that has left its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The job.
    pub job: Job,
    /// Which try this was.
    pub attempt: u32,
    /// How it ended.
    pub account: Account,
}

/// What a job may use; empty: what is usual at the site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// How long it may take, in Slurm's words.
    pub time: String,
    /// Cores of a shared node.
    pub cpus: String,
    /// Memory of a shared node.
    pub memory: String,
    /// Nodes set aside; empty: none.
    pub reservation: String,
    /// A set of nodes; empty: the user's own.
    pub partition: String,
}

/// Jobs of one database that go to a queue at once, with the numbers of their attempts.
#[derive(Debug, Clone)]
pub struct Batch {
    /// At least one, all with the same resources.
    pub jobs: Vec<(Job, u32)>,
    /// How they are found again.
    pub handover: Handover,
    /// They wait until this has ended.
    pub after: Option<Ticket>,
    /// What each of them may use.
    pub resources: Resources,
}

/// Why a queue did not take a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not want it.
    #[error("{0}")]
    Refused(String),
    /// It does not answer, or has no room: later.
    #[error("{0}")]
    Unavailable(String),
    /// It cannot begin this one now, for a reason that does not concern others: later.
    #[error("{0}")]
    NotNow(String),
    /// It may have taken it: to be looked for before it is tried again.
    #[error("{0}")]
    Unclear(String),
}

/// An attempt that a queue does not give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The job.
    pub processing_id: String,
    /// Why, in the queue's own words.
    pub why: String,
}

/// How often a queue is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two looks at what it has.
    pub every: Duration,
    /// A job that it does not know for so long is lost.
    pub gone_after: Duration,
}

/// Something that runs jobs. Its calls come from several threads.
pub trait QueueManager: Send + Sync {
    /// Its name in the ledger.
    fn name(&self) -> &'static str;

    /// Whether it is there at all, so that it is worth trying.
    fn can_submit(&self) -> bool;

    /// At most so many jobs at once; None: it has a waiting line of its own.
    fn limit(&self) -> Option<usize>;

    /// From now on at most so many at once, where that is for us to say.
    fn set_limit(&self, _jobs: usize) {}

    /// From now on jobs evaluate context files in this wrapper; empty: in that of their own configuration, if any.
    fn wrap_in(&self, _words: &str) {}

    /// How many jobs can be given to it at once, as one array.
    fn array_size(&self) -> usize;

    /// How many tasks of an array run at once, where the database does not say.
    fn concurrent(&self) -> usize {
        15
    }

    /// Where jobs of this kind are put.
    fn cluster(&self, request: &Request) -> Option<String>;

    /// How often it is asked.
    fn pace(&self) -> Pace;

    /// Takes jobs; returns their names in the order of the batch.
    ///
    /// # Errors
    /// [`Refusal`]: it has not taken any of them; or nobody knows.
    fn submit(&self, batch: &Batch) -> std::result::Result<Vec<Ticket>, Refusal>;

    /// Whether an attempt that has begun and that it does not know is over: nobody will say so later.
    fn is_sure_of_ends(&self) -> bool {
        false
    }

    /// Looks for attempts that may have been taken, by their tokens; the answers are in their order.
    ///
    /// # Errors
    /// It does not answer.
    fn find(&self, attempts: &[Attempt]) -> Result<Vec<Option<Ticket>>>;

    /// How far it is with these attempts, in their order.
    ///
    /// # Errors
    /// It does not answer: then nothing is known about any of them.
    fn states(&self, attempts: &[Arc<Attempt>]) -> Result<Vec<JobState>>;

    /// Lets the array of this attempt begin, which waits for another one. False: it waits for none.
    ///
    /// # Errors
    /// It does not answer, or does not let it.
    fn release(&self, _attempt: &Attempt) -> Result<bool> {
        Ok(false)
    }

    /// Ends these, or takes them out of the line. One that is gone already is no error. Returns those that whoever asks
    /// may not end: they go on.
    ///
    /// # Errors
    /// It does not answer.
    fn delete(&self, attempts: &[Attempt]) -> Result<Vec<Denied>>;
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
