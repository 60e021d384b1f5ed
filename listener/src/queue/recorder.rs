//! A queue that only writes down what it is given, for tests of what leads to a job.

use std::path::Path;

use super::{Ended, JobState, QueueManager, QueueStatus, Ticket};
use crate::job::Job;
use crate::{Error, Result};

/// Takes jobs and does nothing with them; or refuses them.
#[derive(Debug, Default)]
pub struct Recorder {
    /// What was submitted, in order.
    pub jobs: Vec<Job>,
    /// Whether it refuses.
    pub refuses: bool,
}

impl QueueManager for Recorder {
    fn can_submit(&self) -> bool {
        !self.refuses
    }

    fn submit(&mut self, job: &Job) -> Result<Ticket> {
        if self.refuses {
            return Err(Error::Queue("it refuses everything".into()));
        }
        if !self.jobs.contains(job) {
            self.jobs.push(job.clone());
        }
        Ok(Ticket(job.processing_id.clone()))
    }

    fn resume(&mut self, _database_dir: &Path) -> Result<()> {
        Ok(())
    }

    fn states(&mut self, tickets: &[Ticket]) -> Result<Vec<JobState>> {
        let known = |ticket: &Ticket| self.jobs.iter().any(|job| job.processing_id == ticket.0);
        let state = |ticket| {
            if known(ticket) {
                JobState::Waiting
            } else {
                JobState::Gone
            }
        };
        Ok(tickets.iter().map(state).collect())
    }

    fn delete(&mut self, ticket: &Ticket) -> Result<()> {
        self.jobs.retain(|job| job.processing_id != ticket.0);
        Ok(())
    }

    fn status(&self) -> QueueStatus {
        QueueStatus {
            waiting: self.jobs.len(),
            running: 0,
        }
    }

    fn advance(&mut self) -> Vec<Ended> {
        Vec::new()
    }
}
