//! What people want done with jobs: not done any more, done later, done again; and how they are.

use std::collections::BTreeSet;
use std::path::Path;

use super::dispatcher::Dispatcher;
use super::submission::Scope;
use super::{Report, Sighting};
use crate::Result;
use crate::job_end;
use crate::ledger::{self, Attempt, Ledger, State};
use crate::queue::{JobState, user_name};
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

impl Dispatcher {
    /// Calls jobs off, and takes them out of their queues. Returns the identities of those that were not at their
    /// end before.
    ///
    /// # Errors
    /// The ledger cannot be written; or a queue does not answer: the jobs are called off then, do not begin any more,
    /// and may be called off again to end those that run.
    pub fn call_off(
        &self,
        database_dir: &Path,
        ids: &[String],
        order: Order,
    ) -> Result<Vec<String>> {
        let mut ledger = Ledger::open(database_dir)?;
        let why = order.words();
        let called_off = ledger.call_off(ids, order.state(), &why)?;
        let wanted: BTreeSet<&String> = ids.iter().collect();
        let open = ledger.open_attempts()?.into_iter().map(|open| open.attempt);
        let attempts: Vec<Attempt> = open
            .filter(|attempt| wanted.contains(&attempt.processing_id) && attempt.is_in_queue())
            .collect();
        let deleted = self.delete(&attempts);
        let mut ended = Vec::new();
        for id in &called_off {
            if let Some(entry) = ledger.job(id)? {
                job_end::write_log(&entry.job, &format!("\nThe job was {why}.\n"));
                ended.push(Update::finished(&entry.job));
            }
        }
        self.tell(database_dir, &ended);
        deleted.map(|()| called_off)
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

    /// Submits these jobs of a database and no others, as far as there is room. What is not taken now stays planned.
    ///
    /// # Errors
    /// The ledger or the run table cannot be used.
    pub fn submit(&self, database_dir: &Path, ids: &[String]) -> Result<()> {
        let mut ledger = Ledger::open(database_dir)?;
        let open = ledger.open_attempts()?;
        self.submit_due(&mut ledger, &open, Scope::Only(ids))
            .map(drop)
    }

    /// Asks the queues about the jobs of a database, and takes their answers in. A job that they do not know is not
    /// taken for lost by that.
    ///
    /// # Errors
    /// The ledger cannot be used, or a queue does not answer.
    pub fn refresh(&self, database_dir: &Path) -> Result<Report> {
        let open = Ledger::open(database_dir)?.open_attempts()?;
        let asked_at = ledger::now();
        let mut sightings = Vec::new();
        for queue in self.queues.all() {
            let own = open.iter().map(|open| &open.attempt);
            let own: Vec<Attempt> = own
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
                .map(|(attempt, state)| Sighting {
                    attempt,
                    state,
                    asked_at,
                });
            sightings.extend(seen.filter(|sighting| sighting.state != JobState::Gone));
        }
        self.turn(database_dir, sightings, false)
    }
}
