//! Announces the demo's runs one after the other, as the facility does when data has been moved.

use std::time::{Duration, Instant};

use runledger_context::run::{RunData, RunNumber};
use runledger_listener::kafka::{Producer, ProducerSettings};

use super::stage::{Stage, TOPIC};
use crate::failure::Result;

/// The time between two announcements.
const PAUSE: Duration = Duration::from_secs(2);

/// What is still to be announced.
pub(super) struct Announcer {
    producer: Producer,
    proposal: u32,
    /// In reverse order.
    to_come: Vec<(RunNumber, RunData)>,
    /// What has been announced, in order.
    pub(super) announced: Vec<(RunNumber, RunData)>,
    next: Instant,
}

impl Announcer {
    /// All raw data; the calibrated data of a run comes after the raw data of the next one.
    pub(super) fn of(stage: &Stage) -> Result<Self> {
        let mut to_come = Vec::new();
        let mut calibrating = None;
        for run in &stage.runs {
            to_come.push((run.number, RunData::Raw));
            to_come.extend(calibrating.take().map(|number| (number, RunData::Proc)));
            calibrating = run.has_proc.then_some(run.number);
        }
        to_come.extend(calibrating.map(|number| (number, RunData::Proc)));
        to_come.reverse();
        Ok(Self {
            producer: Producer::new(&ProducerSettings::to(&stage.broker.address()))?,
            proposal: stage.proposal.0,
            to_come,
            announced: Vec::new(),
            next: Instant::now(),
        })
    }

    /// Announces the next event when its time has come.
    pub(super) fn advance(&mut self) -> Result {
        self.producer.deliveries();
        if Instant::now() < self.next {
            return Ok(());
        }
        if let Some((run, data)) = self.to_come.pop() {
            let event = match data {
                RunData::Proc => "run_corrections_complete",
                RunData::Raw | RunData::All => "migration_complete",
            };
            let message =
                serde_json::json!({"event": event, "proposal": self.proposal, "run": run});
            let token = self.announced.len() as u64;
            self.producer
                .send(token, TOPIC, message.to_string().as_bytes())?;
            self.announced.push((run, data));
            self.next = Instant::now() + PAUSE;
        }
        Ok(())
    }

    /// Whether there is nothing left to announce.
    pub(super) fn is_done(&self) -> bool {
        self.to_come.is_empty()
    }
}
