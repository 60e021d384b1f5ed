//! Jobs, from planned to their end.

use runledger_context::run::{Proposal, RunData, RunId, RunNumber};
use runledger_steps::{Step, reached};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{Ledger, State, now};
use crate::Result;
use crate::job::Job;
use crate::queue::submitter;

/// What became of the wish to do a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// It is in the ledger now.
    New,
    /// The same message has led to this job before.
    SameSource {
        /// That job.
        processing_id: String,
        /// How far it is.
        state: State,
    },
    /// This job is the same and has not started yet: it will see everything that this one would.
    Coalesced {
        /// That job.
        processing_id: String,
    },
}

/// A job as the ledger has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The job.
    pub job: Job,
    /// How far it is.
    pub state: State,
    /// Why it is not finished, if somebody knows.
    pub message: Option<String>,
    /// How far its latest attempt came, once it had read the context file.
    pub progress: Option<Progress>,
    /// Taken off the queue by a person: it waits to be told to go on.
    pub held: bool,
    /// How many of its attempts failed through no fault of its own.
    pub failures: u32,
    /// How many of its attempts a queue has had that never began.
    pub unbegun: u32,
    /// It is not submitted before; seconds since 1970.
    pub next_try: Option<f64>,
    /// Who asked for it: `user@host`.
    pub submitted_by: String,
    /// Seconds since 1970.
    pub planned_at: f64,
    /// Seconds since 1970.
    pub ended_at: Option<f64>,
}

/// Which jobs are meant; nothing: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only those of these runs.
    pub runs: Vec<RunId>,
    /// Only those in these states.
    pub states: Vec<State>,
    /// Only those whose identities begin so.
    pub ids: Vec<String>,
}

impl Wanted {
    /// Whether this job is meant.
    pub fn includes(&self, entry: &Entry) -> bool {
        let id = &entry.job.processing_id;
        (self.runs.is_empty() || self.runs.contains(&entry.job.run))
            && (self.states.is_empty() || self.states.contains(&entry.state))
            && (self.ids.is_empty() || self.ids.iter().any(|begin| id.starts_with(begin)))
    }
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many variables have had their turn.
    pub done: u32,
    /// How many there are to evaluate.
    pub variables: u32,
}

const COLUMNS: &str = "processing_id, proposal, run, data, request, state, message, done, variables, held, \
     failures, next_try, submitted_by, planned_at, ended_at, unbegun";

impl Ledger {
    /// Writes a job down, unless it is there already. `source` names the message that it follows from.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn plan(&mut self, source: Option<&str>, job: &Job) -> Result<Planned> {
        let mut planned = self.plan_all(&[(source, job)])?;
        Ok(planned.remove(0))
    }

    /// Writes many jobs down at once, all or none: what became of each, in their order.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn plan_all(&mut self, wishes: &[(Option<&str>, &Job)]) -> Result<Vec<Planned>> {
        let planned = self.try_plan_all(wishes);
        self.done(planned)
    }

    fn try_plan_all(&mut self, wishes: &[(Option<&str>, &Job)]) -> rusqlite::Result<Vec<Planned>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let plan =
            |(source, job): &(Option<&str>, &Job)| Self::try_plan(&transaction, *source, job);
        let planned = wishes.iter().map(plan).collect::<rusqlite::Result<_>>()?;
        transaction.commit()?;
        reached(Step::JobsPlanned);
        Ok(planned)
    }

    fn try_plan(
        transaction: &Transaction<'_>,
        source: Option<&str>,
        job: &Job,
    ) -> rusqlite::Result<Planned> {
        let same = transaction
            .prepare_cached(
                "SELECT processing_id, state FROM jobs WHERE source = ?1 UNION ALL
                 SELECT processing_id, state FROM coalesced JOIN jobs USING (processing_id)
                 WHERE coalesced.source = ?1",
            )?
            .query_row([source], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
            .optional()?;
        if let Some((processing_id, state)) = same {
            let state = State::of(&state);
            return Ok(Planned::SameSource {
                processing_id,
                state,
            });
        }
        let request = request_of(job);
        let waiting = transaction
            .query_row(
                "SELECT processing_id FROM jobs WHERE proposal = ?1 AND run = ?2 AND data = ?3 AND request = ?4
                 AND state IN ('planned', 'submitted', 'pending') AND held = 0",
                params![job.run.proposal.0, job.run.number.0, job.data.as_str(), request],
                |row| row.get::<_, String>(0),
            )
            .optional()?;
        if let (Some(processing_id), Some(source)) = (waiting, source) {
            let sql = "INSERT INTO coalesced (source, processing_id) VALUES (?1, ?2)";
            transaction.execute(sql, params![source, processing_id])?;
            return Ok(Planned::Coalesced { processing_id });
        }
        write_job(transaction, source, job)?;
        Ok(Planned::New)
    }

    /// A job is this far now; `message` says why, where that is not plain.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn set_state(
        &self,
        processing_id: &str,
        state: State,
        message: Option<&str>,
    ) -> Result<()> {
        let ended = state.is_final().then(now);
        let done = self.connection.execute(
            "UPDATE jobs SET state = ?2, message = ?3, ended_at = ?4 WHERE processing_id = ?1",
            params![processing_id, state.as_str(), message, ended],
        );
        self.done(done).map(drop)
    }

    /// Why a job is not done yet, for people.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn remark(&self, processing_id: &str, message: &str) -> Result<()> {
        let done = self.connection.execute(
            "UPDATE jobs SET message = ?2 WHERE processing_id = ?1 AND ended_at IS NULL",
            [processing_id, message],
        );
        self.done(done).map(drop)
    }

    /// So many of a job's variables have had their turn.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn set_progress(&self, processing_id: &str, progress: Progress) -> Result<()> {
        let done = self.connection.execute(
            "UPDATE jobs SET done = ?2, variables = ?3 WHERE processing_id = ?1",
            params![processing_id, progress.done, progress.variables],
        );
        self.done(done).map(drop)
    }

    /// How far a job is; None for one that is not in this ledger.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn state(&self, processing_id: &str) -> Result<Option<State>> {
        let sql = "SELECT state FROM jobs WHERE processing_id = ?1";
        let found = self
            .connection
            .query_row(sql, [processing_id], |row| row.get::<_, String>(0))
            .optional();
        Ok(self.done(found)?.map(|word| State::of(&word)))
    }

    /// All jobs, oldest first.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn jobs(&self) -> Result<Vec<Entry>> {
        self.select("", "", &[])
    }

    /// One job; None if it is not in this ledger.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn job(&self, processing_id: &str) -> Result<Option<Entry>> {
        let found = self.select("WHERE processing_id = ?1", "", &[&processing_id])?;
        Ok(found.into_iter().next())
    }

    /// Some jobs, oldest first.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn find(&self, wanted: &Wanted) -> Result<Vec<Entry>> {
        let mut found = self.jobs()?;
        found.retain(|entry| wanted.includes(entry));
        Ok(found)
    }

    /// The jobs to which something is still to happen, oldest first.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn unfinished(&self) -> Result<Vec<Entry>> {
        self.select(
            "WHERE state IN ('planned', 'submitted', 'pending', 'running')",
            "",
            &[],
        )
    }

    pub(super) fn select(
        &self,
        condition: &str,
        limit: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<Entry>> {
        let sql =
            format!("SELECT {COLUMNS} FROM jobs {condition} ORDER BY planned_at, rowid {limit}");
        let read = || -> rusqlite::Result<Vec<Entry>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(values, |row| self.entry(row))?;
            rows.collect()
        };
        self.done(read())
    }

    fn entry(&self, row: &Row<'_>) -> rusqlite::Result<Entry> {
        let data: String = row.get(3)?;
        let request: String = row.get(4)?;
        let counts = (count(row, 7)?, count(row, 8)?);
        Ok(Entry {
            job: Job {
                processing_id: row.get(0)?,
                run: RunId {
                    proposal: Proposal(row.get(1)?),
                    number: RunNumber(row.get(2)?),
                },
                data: data.parse().unwrap_or(RunData::All),
                database_dir: self.database_dir().to_path_buf(),
                request: serde_json::from_str(&request).unwrap_or_default(),
            },
            state: State::of(&row.get::<_, String>(5)?),
            message: row.get(6)?,
            progress: match counts {
                (Some(done), Some(variables)) => Some(Progress { done, variables }),
                _ => None,
            },
            held: row.get(9)?,
            failures: count(row, 10)?.unwrap_or(0),
            next_try: row.get(11)?,
            submitted_by: row.get(12)?,
            planned_at: row.get(13)?,
            ended_at: row.get(14)?,
            unbegun: count(row, 15)?.unwrap_or(0),
        })
    }
}

/// A number of a row that many may write: one that counts nothing is unknown, and hides no job.
pub(super) fn count<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => number.try_into().ok(),
        _ => None,
    })
}

pub(super) fn write_job(
    connection: &Connection,
    source: Option<&str>,
    job: &Job,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO jobs (processing_id, source, proposal, run, data, request, state, submitted_by, planned_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'planned', ?7, ?8)",
    )?;
    statement.execute(params![
        job.processing_id,
        source,
        job.run.proposal.0,
        job.run.number.0,
        job.data.as_str(),
        request_of(job),
        submitter(),
        now()
    ])?;
    Ok(())
}

fn request_of(job: &Job) -> String {
    serde_json::to_string(&job.request).expect("lists of texts and flags are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;
    use crate::queue::{Process, Surroundings};

    fn job(run: u32) -> Job {
        Job::new(
            RunId::new(1234, run),
            RunData::Raw,
            "/elsewhere".into(),
            Request::default(),
        )
    }

    fn ledger() -> (tempfile::TempDir, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        (folder, ledger)
    }

    #[test]
    fn the_same_message_leads_to_one_job() {
        let (_folder, mut ledger) = ledger();
        let first = job(7);
        assert_eq!(ledger.plan(Some("t/0/1"), &first).unwrap(), Planned::New);
        ledger
            .set_state(&first.processing_id, State::Running, None)
            .unwrap();
        let again = ledger.plan(Some("t/0/1"), &job(7)).unwrap();
        let (processing_id, state) = (first.processing_id, State::Running);
        assert_eq!(
            again,
            Planned::SameSource {
                processing_id,
                state
            }
        );
    }

    #[test]
    fn a_job_that_waits_does_for_the_same_wish_again_until_it_has_started() {
        let (_folder, mut ledger) = ledger();
        let first = job(7);
        ledger.plan(Some("t/0/1"), &first).unwrap();
        let processing_id = first.processing_id.clone();
        assert_eq!(
            ledger.plan(Some("t/0/2"), &job(7)).unwrap(),
            Planned::Coalesced { processing_id }
        );
        assert_eq!(ledger.plan(Some("t/0/3"), &job(8)).unwrap(), Planned::New);
        ledger
            .set_state(&first.processing_id, State::Running, None)
            .unwrap();
        // Another listener hears the same message later.
        assert_eq!(
            ledger.plan(Some("t/0/2"), &job(7)).unwrap(),
            Planned::SameSource {
                processing_id: first.processing_id.clone(),
                state: State::Running
            }
        );
        assert_eq!(ledger.plan(Some("t/0/4"), &job(7)).unwrap(), Planned::New);
    }

    #[test]
    fn what_is_not_at_its_end_is_found_again_with_the_folder_it_is_in_now() {
        let (folder, mut ledger) = ledger();
        let (open, closed) = (job(7), job(8));
        ledger.plan(None, &open).unwrap();
        ledger.plan(None, &closed).unwrap();
        ledger
            .set_state(&closed.processing_id, State::Failed, Some("why"))
            .unwrap();
        let found = Ledger::open(folder.path()).unwrap().unfinished().unwrap();
        let dirs: Vec<_> = found
            .iter()
            .map(|e| (&e.job.processing_id, &e.job.database_dir))
            .collect();
        assert_eq!(dirs, [(&open.processing_id, &folder.path().to_path_buf())]);
        let all = ledger.jobs().unwrap();
        assert_eq!(all[1].message.as_deref(), Some("why"));
    }

    #[test]
    fn a_number_that_counts_nothing_hides_no_job() {
        let (_folder, mut ledger) = ledger();
        (7..=8).for_each(|run| drop(ledger.plan(None, &job(run)).unwrap()));
        let odd = "UPDATE jobs SET done = 99999999999, variables = -1, failures = -1, unbegun = 'x' WHERE run = 7";
        ledger.connection.execute(odd, []).unwrap();
        let jobs = ledger.jobs().unwrap();
        assert_eq!(jobs.len(), 2);
        let found = &jobs[0];
        assert_eq!(
            (found.progress, found.failures, found.unbegun),
            (None, 0, 0)
        );
    }

    #[test]
    fn how_far_a_job_is_and_how_far_it_came_is_known() {
        let (_folder, mut ledger) = ledger();
        let job = job(7);
        ledger.plan(None, &job).unwrap();
        assert_eq!(ledger.jobs().unwrap()[0].progress, None);
        let at = |done| Progress { done, variables: 9 };
        ledger.set_progress(&job.processing_id, at(3)).unwrap();
        assert_eq!(ledger.jobs().unwrap()[0].progress, Some(at(3)));
        let id = &job.processing_id;
        let this = (Process::this(), Surroundings::default());
        ledger.claim(id, None, &this.0, &this.1).unwrap();
        assert!(
            ledger
                .end(id, 1, State::Failed, Some("why"), Some(at(4)))
                .unwrap()
        );
        let ended = &ledger.jobs().unwrap()[0];
        assert_eq!((ended.state, ended.progress), (State::Failed, Some(at(4))));
    }
}
