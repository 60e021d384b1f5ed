//! The waiting line: what may be submitted, what is to be submitted later, and what queues have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::params;

use super::{Attempt, Entry, Ledger, State, now};
use crate::Result;

/// An attempt about whose end a queue is still to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// The attempt; there may be many, and several look at them.
    pub attempt: Arc<Attempt>,
    /// How far its job is.
    pub state: State,
}

/// How many jobs of a database queues have, and how many of them may run at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// They wait in a queue.
    pub queued: usize,
    /// They run.
    pub running: usize,
    /// So many of both may run at the same time: an array lets only some of its tasks run.
    pub at_once: usize,
    /// Those of both that are on this machine.
    pub local: usize,
}

impl Load {
    /// That of some open attempts; those whose jobs have ended don't count.
    pub fn of(open: &[Open]) -> Self {
        let count = |is_so: &dyn Fn(&Open) -> bool| open.iter().filter(|one| is_so(one)).count();
        let queued = |one: &Open| matches!(one.state, State::Submitted | State::Pending);
        let running = |one: &Open| one.state == State::Running;
        let is_local = |one: &Open| one.attempt.queue == "local" && (queued(one) || running(one));
        Self {
            queued: count(&queued),
            running: count(&running),
            at_once: at_once(open.iter().filter(|one| queued(one) || running(one))),
            local: count(&is_local),
        }
    }
}

/// Lone jobs all run; of an array at most its width; of arrays that wait for each other only one runs.
fn at_once<'a>(open: impl Iterator<Item = &'a Open>) -> usize {
    let mut lone = 0;
    let mut arrays: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for Open { attempt, .. } in open {
        match attempt.width {
            None => lone += 1,
            Some(width) => {
                let token = attempt.token.as_str();
                let chain = attempt.chain.as_deref().unwrap_or(token);
                let array = arrays.entry((chain, token)).or_default();
                *array = (array.0 + 1, width as usize);
            }
        }
    }
    let mut chains: BTreeMap<&str, usize> = BTreeMap::new();
    for ((chain, _), (tasks, width)) in arrays {
        let most = chains.entry(chain).or_default();
        *most = (*most).max(tasks.min(width));
    }
    lone + chains.into_values().sum::<usize>()
}

/// No job waits for its next try for longer. One that is to was put off before the clock was set back, and is due.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(600);

const IS_DUE: &str = "WHERE state = 'planned' AND held = 0
                      AND (coalesce(next_try, 0) <= ?1 OR next_try > ?1 + ?2)";

impl Ledger {
    /// How many jobs may be submitted now.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn due_count(&self) -> Result<usize> {
        let sql = format!("SELECT count(*) FROM jobs {IS_DUE}");
        let values = [now(), LONGEST_WAIT.as_secs_f64()];
        let read = self
            .connection
            .query_row(&sql, values, |row| row.get::<_, u32>(0));
        self.done(read).map(|count| count as usize)
    }

    /// The jobs that may be submitted now, oldest first, at most `most`.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn due(&self, most: usize) -> Result<Vec<Entry>> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let longest = LONGEST_WAIT.as_secs_f64();
        self.select(IS_DUE, "LIMIT ?3", params![now(), longest, most])
    }

    /// How many jobs are not at their end, without those that are held; and when the next one is to be submitted
    /// that is not due yet (seconds since 1970).
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn outlook(&self) -> Result<(usize, Option<f64>)> {
        let sql = "SELECT count(*), min(CASE WHEN state = 'planned' AND next_try > ?1 THEN next_try END)
                   FROM jobs WHERE state IN ('planned', 'submitted', 'pending', 'running') AND held = 0";
        let read = self.connection.query_row(sql, [now()], |row| {
            Ok((row.get::<_, u32>(0)? as usize, row.get(1)?))
        });
        self.done(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Job, Request};
    use runledger_context::run::{RunData, RunId};

    #[test]
    fn a_job_that_was_put_off_before_the_clock_was_set_back_is_due_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        for (run, wait) in [(1, 5.0 * 3600.0), (2, LONGEST_WAIT.as_secs_f64() / 2.0)] {
            let (run, request) = (RunId::new(1, run), Request::default());
            let job = Job::new(run, RunData::Raw, folder.path().into(), request);
            ledger.plan(None, &job).unwrap();
            let sql = "UPDATE jobs SET next_try = ?2 WHERE processing_id = ?1";
            let values = params![job.processing_id, now() + wait];
            ledger.connection.execute(sql, values).unwrap();
        }
        let due = ledger.due(10).unwrap();
        assert_eq!((due.len(), ledger.due_count().unwrap()), (1, 1));
        assert_eq!(due[0].job.run.number.0, 1);
    }

    fn open(state: State, token: &str, width: Option<u32>, chain: Option<&str>) -> Open {
        let attempt = Attempt {
            queue: "slurm".into(),
            token: token.into(),
            width,
            chain: chain.map(Into::into),
            ..Attempt::default()
        };
        Open {
            attempt: attempt.into(),
            state,
        }
    }

    #[test]
    fn lone_jobs_may_all_run_and_those_that_ended_do_not_count() {
        let jobs = [
            open(State::Running, "a", None, None),
            open(State::Pending, "b", None, None),
            open(State::Finished, "c", None, None),
        ];
        let load = Load::of(&jobs);
        assert_eq!((load.running, load.queued, load.at_once), (1, 1, 2));
    }

    #[test]
    fn of_arrays_that_wait_for_each_other_one_runs_at_its_width() {
        let tasks = |token, width, chain| {
            (0..5).map(move |_| open(State::Pending, token, Some(width), Some(chain)))
        };
        let chained: Vec<Open> = tasks("a", 2, "a").chain(tasks("b", 3, "a")).collect();
        assert_eq!(Load::of(&chained).at_once, 3);
        let apart: Vec<Open> = tasks("a", 2, "a").chain(tasks("b", 9, "b")).collect();
        assert_eq!(Load::of(&apart).at_once, 7);
    }
}
