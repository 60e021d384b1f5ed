//! Jobs that had finished, and whose results turned out to be of no use.

use super::Ledger;
use crate::Result;

impl Ledger {
    /// What the job with this fragment had computed cannot be read: it has failed after all, unless it is being done
    /// again. A fragment of another program belongs to no job.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn came_to_nothing(&self, fragment_token: &str, why: &str) -> Result<()> {
        // A later attempt's token has its number behind the job's identity.
        let done = self.connection.execute(
            "UPDATE jobs SET state = 'failed', message = ?2
             WHERE state = 'finished' AND (processing_id = ?1 OR ?1 GLOB processing_id || '-[0-9]*')",
            [fragment_token, why],
        );
        self.done(done).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Job, Request};
    use crate::ledger::State;
    use runledger_context::run::{RunData, RunId};

    #[test]
    fn a_job_that_had_finished_has_failed_whichever_attempt_it_was_and_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        let states = [
            State::Finished,
            State::Finished,
            State::Finished,
            State::Running,
        ];
        let jobs = states.map(|state| {
            let run = RunId::new(1, 2);
            let job = Job::new(run, RunData::Raw, folder.path().into(), Request::default());
            // Of different messages, or it would be one job.
            ledger.plan(Some(&job.processing_id), &job).unwrap();
            ledger.set_state(&job.processing_id, state, None).unwrap();
            job
        });
        for (job, attempt) in [(&jobs[0], 1), (&jobs[1], 3), (&jobs[3], 1)] {
            ledger
                .came_to_nothing(&job.token(attempt), "no HDF5")
                .unwrap();
        }
        let now = jobs.map(|job| ledger.job(&job.processing_id).unwrap().unwrap());
        let expected = [
            State::Failed,
            State::Failed,
            State::Finished,
            State::Running,
        ];
        assert_eq!(now.each_ref().map(|entry| entry.state), expected);
        assert_eq!(now[1].message.as_deref(), Some("no HDF5"));
    }
}
