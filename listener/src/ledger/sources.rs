//! Whether what a message asks for is done already, or under way.

use rusqlite::params;

use super::{Ledger, State};
use crate::Result;
use crate::job::Job;

impl Ledger {
    /// Whether a queue was given the job that a message leads to; or a job of the same run and data began after the
    /// message was sent (in seconds since 1970), and so sees all that it tells of.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn is_begun(&self, job: &Job, source: &str, sent_at: f64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE source = ?1 AND state != ?2)
                   OR EXISTS (SELECT 1 FROM jobs JOIN attempts USING (processing_id)
                              WHERE proposal = ?3 AND run = ?4 AND data = ?5 AND started_at >= ?6)";
        let (run, data) = (job.run, job.data.as_str());
        let planned = State::Planned.as_str();
        let values = params![source, planned, run.proposal.0, run.number.0, data, sent_at];
        self.done(self.connection.query_row(sql, values, |row| row.get(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;
    use crate::ledger::Claim;
    use crate::ledger::now;
    use crate::queue::{Process, Surroundings};
    use runledger_context::run::{RunData, RunId};

    #[test]
    fn a_message_is_seen_to_when_its_job_is_in_a_queue_or_one_like_it_began_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        let job = |data| Job::new(RunId::new(1, 7), data, "/db".into(), Request::default());
        let (raw, proc) = (job(RunData::Raw), job(RunData::Proc));
        ledger.plan(Some("a"), &raw).unwrap();
        assert!(!ledger.is_begun(&raw, "a", 1000.0).unwrap());
        ledger
            .set_state(&raw.processing_id, State::Running, None)
            .unwrap();
        assert!(ledger.is_begun(&raw, "a", 1000.0).unwrap());
        assert!(!ledger.is_begun(&raw, "b", 1000.0).unwrap());
        let process = Process::here(std::process::id());
        let claimed = ledger.claim(&raw.processing_id, None, &process, &Surroundings::default());
        assert!(matches!(claimed, Ok(Claim::Granted(1))));
        let later = now() + 1000.0;
        assert!(ledger.is_begun(&raw, "b", 1000.0).unwrap());
        assert!(!ledger.is_begun(&raw, "b", later).unwrap());
        assert!(!ledger.is_begun(&proc, "b", 1000.0).unwrap());
    }
}
