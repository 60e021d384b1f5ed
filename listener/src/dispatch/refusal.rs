//! What a queue that does not take jobs means for them.

use std::sync::Arc;

use runledger_storage::Database;
use tracing::{debug, warn};

use super::dispatcher::{Dispatcher, PATIENCE};
use super::gather::Group;
use super::submission::{Failures, Hand};
use crate::Result;
use crate::job::Job;
use crate::job_end::Retries;
use crate::ledger::{self, Cost, Ending, Setback};
use crate::queue::{Account, Batch, Ended, Fault, QueueManager, Refusal};

impl Dispatcher {
    pub(super) fn refused(
        &self,
        hand: &mut Hand<'_>,
        batch: &Batch,
        refusal: Refusal,
        failures: &Failures,
    ) -> Result<()> {
        let run = batch.jobs[0].0.run;
        match refusal {
            Refusal::Unclear(why) => self.rest(hand.queue.name(), &why),
            Refusal::Unavailable(why) => {
                self.rest(hand.queue.name(), &why);
                hand.set_back(batch, &why, Cost::Nothing, None)?;
            }
            // Whoever asks and is told can see to it, and asks again.
            Refusal::NotNow(why) if hand.retries == Retries::NONE => {
                let words = format!("the job cannot be started: {why}");
                self.count_refusal(hand, batch, &words, failures)?;
            }
            Refusal::NotNow(why) => {
                debug!(
                    proposal = run.proposal.0,
                    run = run.number.0,
                    "the job cannot be started, trying again: {why}"
                );
                let next_try = ledger::now() + self.settings().retries.first.as_secs_f64();
                hand.set_back(batch, &why, Cost::Nothing, Some(next_try))?;
            }
            Refusal::Refused(why) => {
                self.numbers.trouble(hand.queue.name(), "refused");
                warn!(
                    proposal = run.proposal.0,
                    run = run.number.0,
                    jobs = batch.jobs.len(),
                    "the queue refuses: {why}"
                );
                match self.queues.stand_in() {
                    Some(local) if local.name() != hand.queue.name() => {
                        hand.set_back(batch, &why, Cost::Nothing, None)?;
                        self.do_here(hand, local, batch, failures)?;
                    }
                    _ => {
                        let words = format!("the submission was refused: {why}");
                        self.count_refusal(hand, batch, &words, failures)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What the queue refuses is done on this machine, as far as it has room now: the room that the submission took
    /// is free again.
    fn do_here(
        &self,
        hand: &mut Hand<'_>,
        local: &Arc<dyn QueueManager>,
        batch: &Batch,
        failures: &Failures,
    ) -> Result<()> {
        self.note_load(hand.db.dir(), &hand.ledger.open_attempts()?);
        let room = self.grant(hand.db.dir(), batch.jobs.len(), local.limit());
        let mut here = Hand {
            ledger: &mut *hand.ledger,
            db: Database::open_with_timeout(hand.db.dir(), PATIENCE)?,
            queue: local,
            concurrent: hand.concurrent,
            retries: hand.retries,
            chains: Vec::new(),
        };
        for (job, _) in batch.jobs.iter().take(room.jobs) {
            let group = Group {
                jobs: vec![job.clone()],
                width: None,
            };
            self.hand_over(&mut here, group, failures)?;
        }
        Ok(())
    }

    /// Each of the jobs has one try less; those that have none left have failed.
    fn count_refusal(
        &self,
        hand: &mut Hand<'_>,
        batch: &Batch,
        words: &str,
        failures: &Failures,
    ) -> Result<()> {
        let retries = hand.retries;
        let failures = |job: &Job| failures.get(&job.processing_id).copied().unwrap_or(0);
        let (again, over): (Vec<_>, Vec<_>) = batch
            .jobs
            .iter()
            .partition(|(job, _)| failures(job) < retries.limit);
        for (job, number) in over {
            let account = Account {
                ending: Ending::Unseen,
                fault: Fault::Queue,
                peak_memory: None,
                words: words.to_owned(),
            };
            let ended = Ended {
                job: job.clone(),
                attempt: *number,
                account,
            };
            self.settle_for(hand.ledger, &ended, &retries)?;
        }
        let most = again
            .iter()
            .map(|(job, _)| failures(job))
            .max()
            .unwrap_or(0);
        let setback = Setback {
            reason: words.to_owned(),
            cost: Cost::Try,
            next_try: Some(ledger::now() + retries.wait(most).as_secs_f64()),
        };
        let again: Vec<_> = again
            .iter()
            .map(|(job, number)| (job.processing_id.clone(), *number))
            .collect();
        hand.ledger.set_back(&again, &setback)
    }
}
