//! The ends of jobs in a listener's log and numbers: each once, whoever has settled it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::{info, warn};

use super::dispatcher::Dispatcher;
use crate::Result;
use crate::ledger::{End, Ledger, State};

impl Dispatcher {
    /// From now on the ends of jobs are told of, as a listener does: also of those that somebody else has settled.
    pub fn tell_of_ends(&self) {
        self.tells_of_ends.store(true, Ordering::Relaxed);
    }

    pub(super) fn take_ends(&self, ledger: &Ledger) -> Result<()> {
        if !self.tells_of_ends.load(Ordering::Relaxed) {
            return Ok(());
        }
        for end in ledger.take_ends()? {
            log(&end);
            self.count(&end);
        }
        Ok(())
    }

    /// For a monitor: how long the job took, if this is its end.
    fn count(&self, end: &End) {
        let (entry, attempt) = (&end.entry, &end.attempt);
        if end.is_last
            && entry.state.is_final()
            && let (Some(began), Some(ended)) = (attempt.started_at, attempt.ended_at)
        {
            let took = Duration::from_secs_f64((ended - began).max(0.0));
            self.numbers.ended(entry.state.as_str(), took);
        }
    }
}

/// Nothing is said of a job that a person stopped: it has not ended.
fn log(end: &End) {
    let job = &end.entry.job;
    let (proposal, run, data) = (job.run.proposal.0, job.run.number.0, job.data.as_str());
    let state = end.entry.state.as_str();
    let why = end.attempt.reason.as_deref().unwrap_or_default();
    let reason = end.entry.message.as_deref().unwrap_or(why);
    match end.entry.state {
        _ if !end.is_last => info!(
            proposal,
            run,
            data,
            reason = why,
            "an earlier attempt ended"
        ),
        _ if end.entry.held => {}
        State::Finished => info!(proposal, run, data, state, "job ended"),
        State::Cancelled => info!(proposal, run, data, state, reason, "job ended"),
        State::Failed | State::Lost => warn!(proposal, run, data, state, reason, "job ended"),
        _ => info!(proposal, run, data, reason, "the job is tried again"),
    }
}
