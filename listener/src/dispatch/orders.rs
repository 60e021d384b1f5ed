//! What people want done with jobs: not done any more, done later, done again; and how they are.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::dispatcher::Dispatcher;
use super::submission::Scope;
use super::{Report, Sighting};
use crate::Result;
use crate::job_end::{self, Retries};
use crate::ledger::{Attempt, Ledger, State, Unfinished};
use crate::queue::{Denied, JobState, user_name};
use crate::updates::Update;

/// What is to become of a job that is not at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It is not wanted: cancelled.
    Cancel,
    /// It is taken off the queue, and waits until it is to be tried again: no failure.
    Stop,
    /// It ends here and now: failed.
    Kill,
}

impl Order {
    fn state(self) -> Option<State> {
        match self {
            Self::Cancel => Some(State::Cancelled),
            Self::Stop => None,
            Self::Kill => Some(State::Failed),
        }
    }

    fn words(self) -> String {
        let done = match self {
            Self::Cancel => "cancelled",
            Self::Stop => "stopped",
            Self::Kill => "killed",
        };
        format!("{done} by {}", user_name())
    }
}

/// What came of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CalledOff {
    /// The jobs that had not ended before, and are called off.
    pub done: Vec<String>,
    /// What queues did not give up.
    pub denied: Vec<Denied>,
}

impl Dispatcher {
    /// Calls jobs off, and takes them out of their queues. What a queue does not give up goes on as it was.
    ///
    /// # Errors
    /// The ledger cannot be written; or a queue does not answer: the jobs are called off then, do not begin any more,
    /// and may be called off again to end those that run.
    pub fn call_off(&self, database_dir: &Path, ids: &[String], order: Order) -> Result<CalledOff> {
        let mut ledger = Ledger::open(database_dir)?;
        let why = order.words();
        // First, so that none begins meanwhile.
        let unfinished = ledger.call_off(ids, order.state(), &why)?;
        let deleted = self.delete(&in_queues(&ledger, ids)?);
        let denied = deleted.as_deref().unwrap_or_default();
        let is_denied = |job: &Unfinished| {
            let is_it = |denied: &Denied| denied.processing_id == job.processing_id;
            denied.iter().any(is_it)
        };
        let (kept, done): (Vec<_>, Vec<_>) = unfinished.into_iter().partition(is_denied);
        ledger.reinstate(&kept, &why)?;
        let done: Vec<String> = done.into_iter().map(|job| job.processing_id).collect();
        self.tell_of_end(&ledger, &done, &why)?;
        Ok(CalledOff {
            done,
            denied: deleted?,
        })
    }

    fn tell_of_end(&self, ledger: &Ledger, ids: &[String], why: &str) -> Result<()> {
        let mut ended = Vec::new();
        for id in ids {
            if let Some(entry) = ledger.job(id)? {
                job_end::write_log(&entry.job, &format!("\nThe job was {why}.\n"));
                ended.push(Update::finished(&entry.job));
            }
        }
        self.tell(ledger.database_dir(), &ended);
        Ok(())
    }

    /// Jobs that have ended, are held or wait for their next try are planned once more, and submitted now. Returns
    /// the identities of those that are.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn retry(&self, database_dir: &Path, ids: &[String]) -> Result<Vec<String>> {
        let ledger = Ledger::open(database_dir)?;
        let mut planned = Vec::new();
        for id in ids {
            if ledger.try_again(id)? {
                planned.push(id.clone());
            }
        }
        self.turn(database_dir, Vec::new(), true)?;
        Ok(planned)
    }

    /// Submits these jobs of a database and no others, as far as there is room. What is not taken now stays planned;
    /// what is refused is tried again as `retries` say. What cannot be started stays planned, too, unless they are
    /// [`Retries::NONE`].
    ///
    /// # Errors
    /// The ledger or the run table cannot be used.
    pub fn submit(&self, database_dir: &Path, ids: &[String], retries: Retries) -> Result<()> {
        let mut ledger = Ledger::open(database_dir)?;
        let open = ledger.open_attempts()?;
        self.note_load(database_dir, &open);
        self.submit_due(&mut ledger, &open, Scope::Only(ids), retries)
            .map(drop)
    }

    /// Asks the queues about the jobs of a database, and takes their answers in. A job that they do not know is not
    /// taken for lost by that, unless the queue is sure of it.
    ///
    /// # Errors
    /// The ledger cannot be used, or a queue does not answer.
    pub fn refresh(&self, database_dir: &Path) -> Result<Report> {
        let open = Ledger::open(database_dir)?.open_attempts()?;
        let mut sightings = Vec::new();
        for queue in self.queues.all() {
            let own = open.iter().map(|open| &open.attempt);
            let own: Vec<Arc<Attempt>> = own
                .filter(|attempt| attempt.queue == queue.name() && attempt.is_in_queue())
                .cloned()
                .collect();
            let states = match own.is_empty() {
                true => Vec::new(),
                false => queue.states(&own)?,
            };
            let seen = own
                .into_iter()
                .zip(states)
                .map(|(attempt, state)| Sighting::of(attempt, state));
            let is_known = |sighting: &Sighting| {
                let is_over = queue.is_sure_of_ends() && sighting.attempt.process.is_some();
                sighting.state != JobState::Gone || is_over
            };
            sightings.extend(seen.filter(is_known));
        }
        self.turn(database_dir, sightings, false)
    }
}

/// The attempts at these jobs that queues may still have.
fn in_queues(ledger: &Ledger, ids: &[String]) -> Result<Vec<Attempt>> {
    let wanted: BTreeSet<&String> = ids.iter().collect();
    let open = ledger.open_attempts()?.into_iter().map(|open| open.attempt);
    Ok(open
        .map(Arc::unwrap_or_clone)
        .filter(|attempt| wanted.contains(&attempt.processing_id) && attempt.is_in_queue())
        .collect())
}
