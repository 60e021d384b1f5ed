//! A queue that only writes down what it is given, for tests of what leads to a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Batch, Denied, JobState, Pace, QueueManager, Refusal, Ticket};
use crate::Result;
use crate::job::Request;
use crate::ledger::Attempt;

/// Takes jobs and does nothing with them; or refuses them.
#[derive(Debug)]
pub struct Recorder {
    batches: Mutex<Vec<Batch>>,
    states: Mutex<Vec<(String, JobState)>>,
    deleted: Mutex<Vec<String>>,
    /// Whether it refuses.
    pub refuses: AtomicBool,
    /// Whether it gives up nothing that it has.
    pub denies: AtomicBool,
    tickets: AtomicUsize,
    asked: AtomicUsize,
    array_size: usize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::with_arrays_of(1000)
    }
}

impl Recorder {
    /// One that takes so many jobs at once.
    pub fn with_arrays_of(array_size: usize) -> Self {
        Self {
            batches: Mutex::default(),
            states: Mutex::default(),
            deleted: Mutex::default(),
            refuses: AtomicBool::new(false),
            denies: AtomicBool::new(false),
            tickets: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            array_size,
        }
    }

    /// One that refuses.
    pub fn refusing() -> Self {
        Self {
            refuses: true.into(),
            ..Self::default()
        }
    }

    /// What was submitted, in order.
    pub fn batches(&self) -> Vec<Batch> {
        locked(&self.batches).clone()
    }

    /// What it says from now on about the job that it has named so.
    pub fn say(&self, ticket: &str, state: JobState) {
        locked(&self.states).insert(0, (ticket.to_owned(), state));
    }

    /// How often it was asked about its jobs.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// What it was told to take out, by its own names.
    pub fn deleted(&self) -> Vec<String> {
        locked(&self.deleted).clone()
    }

    fn state(&self, id: &str) -> JobState {
        let said = locked(&self.states);
        let found = said.iter().find(|(ticket, _)| ticket == id);
        found.map_or(JobState::Waiting("nothing happens here".into()), |said| {
            said.1.clone()
        })
    }
}

fn locked<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

impl QueueManager for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn can_submit(&self) -> bool {
        true
    }

    fn limit(&self) -> Option<usize> {
        None
    }

    fn array_size(&self) -> usize {
        self.array_size
    }

    fn cluster(&self, _request: &Request) -> Option<String> {
        Some("recorded".into())
    }

    fn pace(&self) -> Pace {
        Pace {
            every: Duration::from_millis(10),
            gone_after: Duration::from_millis(100),
        }
    }

    fn submit(&self, batch: &Batch) -> std::result::Result<Vec<Ticket>, Refusal> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(Refusal::Refused("it refuses everything".into()));
        }
        locked(&self.batches).push(batch.clone());
        let number = self.tickets.fetch_add(1, Ordering::Relaxed) + 1;
        let name = |task: usize| match batch.handover.width {
            Some(_) => format!("{number}_{task}"),
            None => number.to_string(),
        };
        let ticket = |task| Ticket {
            id: name(task),
            cluster: Some("recorded".into()),
        };
        Ok((0..batch.jobs.len()).map(ticket).collect())
    }

    fn find(&self, attempts: &[Attempt]) -> Result<Vec<Option<Ticket>>> {
        Ok(attempts.iter().map(|_| None).collect())
    }

    fn states(&self, attempts: &[Arc<Attempt>]) -> Result<Vec<JobState>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let ids = attempts
            .iter()
            .map(|attempt| attempt.queue_id.as_deref().unwrap_or(""));
        Ok(ids.map(|id| self.state(id)).collect())
    }

    fn delete(&self, attempts: &[Attempt]) -> Result<Vec<Denied>> {
        if self.denies.load(Ordering::Relaxed) {
            let deny = |attempt: &Attempt| Denied {
                processing_id: attempt.processing_id.clone(),
                why: "it gives up nothing".into(),
            };
            return Ok(attempts.iter().map(deny).collect());
        }
        let ids = attempts
            .iter()
            .filter_map(|attempt| attempt.queue_id.clone());
        locked(&self.deleted).extend(ids);
        Ok(Vec::new())
    }
}
