//! Submissions without an answer are looked for in the queue; a queue that does not answer is left alone for a while.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tracing::warn;

use super::dispatcher::Dispatcher;
use super::under_way::is_under_way;
use crate::Result;
use crate::backoff;
use crate::ledger::{self, Attempt, Cost, Ledger, Open, Setback};
use crate::queue::Ticket;

/// Whoever submitted on another machine, and left an attempt without a name in the queue, has given up by now
/// (seconds).
const ABANDONED: f64 = 300.0;
/// What a monitor is told of a queue that does not answer.
pub(super) const SILENT: &str = "silent";
/// How long a queue is left alone after it did not answer; twice as long each further time, up to the longest.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(120);

impl Dispatcher {
    /// Attempts that were written down, and then whoever did so ended, or had no clear answer: the queue may have
    /// them or not.
    pub(super) fn recover(&self, ledger: &mut Ledger, open: &[Open]) -> Result<()> {
        let unclear = open
            .iter()
            .map(|open| &*open.attempt)
            .filter(|attempt| is_abandoned(attempt));
        let unclear: Vec<Attempt> = unclear.cloned().collect();
        for queue in self.queues.all() {
            let own = unclear
                .iter()
                .filter(|attempt| attempt.queue == queue.name());
            let own: Vec<Attempt> = own.cloned().collect();
            if own.is_empty() || self.rest_of(queue.name()).is_some() {
                continue;
            }
            match queue.find(&own) {
                Ok(found) => self.sort_out(ledger, own, found)?,
                Err(why) => self.rest(queue.name(), &why.to_string()),
            }
        }
        Ok(())
    }

    fn sort_out(
        &self,
        ledger: &mut Ledger,
        attempts: Vec<Attempt>,
        found: Vec<Option<Ticket>>,
    ) -> Result<()> {
        let mut placed = Vec::new();
        let mut missing = Vec::new();
        for (attempt, ticket) in attempts.into_iter().zip(found) {
            match ticket {
                Some(ticket) => placed.push((attempt.processing_id, attempt.number, ticket)),
                None => missing.push((attempt.processing_id, attempt.number)),
            }
        }
        warn!(
            folder = %ledger.database_dir().display(),
            "submissions without an answer: {} jobs are in the queue, {} are not and go again",
            placed.len(), missing.len()
        );
        ledger.placed(&placed)?;
        let setback = Setback {
            reason: "it never came into the queue".into(),
            cost: Cost::Nothing,
            next_try: None,
        };
        ledger.set_back(&missing, &setback)
    }

    /// How long a queue is still left alone.
    pub(super) fn rest_of(&self, queue: &'static str) -> Option<Duration> {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, _) = resting.get(queue)?;
        until.checked_duration_since(Instant::now())
    }

    /// A queue did not answer: it is left alone for a while, longer each time.
    pub(super) fn rest(&self, queue: &'static str, why: &str) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let times = resting.get(queue).map_or(0, |(_, times)| *times);
        let wait = backoff::wait(REST, LONGEST_REST, times);
        self.numbers.trouble(queue, SILENT);
        warn!(
            queue,
            "the queue does not answer, trying again in {} s: {why}",
            wait.as_secs()
        );
        resting.insert(queue, (Instant::now() + wait, times + 1));
    }

    pub(super) fn answered(&self, queue: &'static str) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.remove(queue);
    }
}

fn is_abandoned(attempt: &Attempt) -> bool {
    let is_open =
        attempt.queue_id.is_none() && attempt.process.is_none() && attempt.ended_at.is_none();
    is_open
        && match &attempt.submitter {
            Some(submitter) if submitter.pid == std::process::id() && submitter.is_here() => {
                !is_under_way(&attempt.token)
            }
            Some(submitter) if submitter.is_here() => !submitter.is_alive(),
            // Also where a clock was set back since.
            _ => (ledger::now() - attempt.submitted_at).abs() > ABANDONED,
        }
}
