//! From a plan to a place in a queue: each attempt is written down before a queue is given it.

use runledger_steps::{Step, reached};
use rusqlite::{Connection, TransactionBehavior, params};

use super::jobs::write_job;
use super::{Ledger, State, now};
use crate::Result;
use crate::job::Job;
use crate::queue::{Process, Ticket};

/// What is about to be given to a queue at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The queue's name.
    pub queue: &'static str,
    /// By this it is found again.
    pub token: String,
    /// Where the queue is asked to put it.
    pub cluster: Option<String>,
    /// For an array: so many tasks run at once.
    pub width: Option<u32>,
    /// For an array: the first of those that wait for each other.
    pub chain: Option<String>,
}

/// Why a job has no place in a queue any more, and how it goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Setback {
    /// In words.
    pub reason: String,
    /// Which of its tries that has used up.
    pub cost: Cost,
    /// Seconds since 1970; None: at once.
    pub next_try: Option<f64>,
}

/// Which of a job's tries an attempt has used up that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// None: no queue has had it.
    Nothing,
    /// One of those that a job has.
    Try,
    /// One of the many more that it has for attempts that a queue has had, and that never began.
    Unbegun,
}

impl Ledger {
    /// Takes jobs for a queue, unless somebody else has: those that are still planned get an attempt, whose number
    /// is returned with them.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn take(&mut self, handover: &Handover, jobs: Vec<Job>) -> Result<Vec<(Job, u32)>> {
        let taken = self.try_take(handover, jobs);
        self.done(taken)
    }

    fn try_take(
        &mut self,
        handover: &Handover,
        jobs: Vec<Job>,
    ) -> rusqlite::Result<Vec<(Job, u32)>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut taken = Vec::new();
        for job in jobs {
            if is_still_planned(&transaction, &job)? {
                let is_array = handover.width.is_some();
                let task = is_array.then_some(taken.len());
                let number = write_attempt(&transaction, handover, &job, task)?;
                taken.push((job, number));
            }
        }
        transaction.commit()?;
        reached(Step::AttemptsInLedger);
        Ok(taken)
    }

    /// Writes a job down that this process does itself, at once: no queue ever sees it as planned. Returns the
    /// number of its attempt.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn plan_here(&mut self, job: &Job, queue: &'static str) -> Result<u32> {
        let planned = self.try_plan_here(job, queue);
        self.done(planned)
    }

    fn try_plan_here(&mut self, job: &Job, queue: &'static str) -> rusqlite::Result<u32> {
        let here = Handover {
            queue,
            token: job.processing_id.clone(),
            cluster: None,
            width: None,
            chain: None,
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        write_job(&transaction, None, job)?;
        is_still_planned(&transaction, job)?;
        let number = write_attempt(&transaction, &here, job, None)?;
        transaction.commit()?;
        reached(Step::JobPlannedHere);
        Ok(number)
    }

    /// A queue has these attempts of one submission.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn placed(&mut self, placed: &[(String, u32, Ticket)]) -> Result<()> {
        let done = self.try_placed(placed);
        self.done(done)
    }

    fn try_placed(&mut self, placed: &[(String, u32, Ticket)]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (processing_id, number, ticket) in placed {
            transaction
                .prepare_cached(
                    "UPDATE attempts SET queue_id = ?3, cluster = coalesce(?4, cluster)
                 WHERE processing_id = ?1 AND number = ?2",
                )?
                .execute(params![processing_id, number, ticket.id, ticket.cluster])?;
        }
        transaction.commit()?;
        reached(Step::SubmissionNoted);
        Ok(())
    }

    /// These attempts came to nothing through no fault of their jobs, which are to be submitted again.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn set_back(&mut self, attempts: &[(String, u32)], setback: &Setback) -> Result<()> {
        let done = self.try_set_back(attempts, setback);
        self.done(done)
    }

    fn try_set_back(
        &mut self,
        attempts: &[(String, u32)],
        setback: &Setback,
    ) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (processing_id, number) in attempts {
            transaction.execute(
                "UPDATE attempts SET settled = 1, ended_at = coalesce(ended_at, ?3), reason = coalesce(reason, ?4),
                        told = queue_id IS NULL AND pid IS NULL
                 WHERE processing_id = ?1 AND number = ?2",
                params![processing_id, number, now(), setback.reason],
            )?;
            transaction.execute(
                "UPDATE jobs SET state = 'planned', message = ?3, next_try = ?4,
                        failures = failures + ?5, unbegun = unbegun + ?6
                 WHERE processing_id = ?1 AND state IN ('submitted', 'pending', 'running')
                   AND ?2 = (SELECT max(number) FROM attempts WHERE processing_id = ?1)",
                params![
                    processing_id,
                    number,
                    setback.reason,
                    setback.next_try,
                    u32::from(setback.cost == Cost::Try),
                    u32::from(setback.cost == Cost::Unbegun),
                ],
            )?;
        }
        transaction.commit()?;
        reached(Step::JobsSetBack);
        Ok(())
    }

    /// What a queue says about jobs that it has: they wait there (`Pending`), for a reason in words, or run
    /// (`Running`). Does the jobs' own words no harm, and writes nothing that is there already.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn observe(&mut self, seen: &[(&str, State, Option<&str>)]) -> Result<()> {
        let done = self.try_observe(seen);
        self.done(done)
    }

    fn try_observe(&mut self, seen: &[(&str, State, Option<&str>)]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (processing_id, state, why) in seen {
            transaction
                .prepare_cached(
                    "UPDATE jobs SET state = ?2, message = ?3 WHERE processing_id = ?1
                     AND (state = 'submitted' OR state = 'pending' AND (?2 = 'running' OR message IS NOT ?3))",
                )?
                .execute(params![processing_id, state.as_str(), why])?;
        }
        transaction.commit()
    }

    /// The queue has put a job that ran back into its line.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn observe_requeued(&self, processing_id: &str) -> Result<bool> {
        let changed = self.connection.execute(
            "UPDATE jobs SET state = 'pending' WHERE processing_id = ?1 AND state = 'running'",
            [processing_id],
        );
        self.done(changed).map(|changed| changed > 0)
    }
}

fn is_still_planned(connection: &Connection, job: &Job) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE jobs SET state = 'submitted', next_try = NULL
             WHERE processing_id = ?1 AND state = 'planned' AND held = 0",
        )?
        .execute([&job.processing_id])?;
    Ok(changed > 0)
}

fn write_attempt(
    connection: &Connection,
    handover: &Handover,
    job: &Job,
    task: Option<usize>,
) -> rusqlite::Result<u32> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO attempts (processing_id, number, queue, token, task, width, chain, submitter, submitted_at,
                               cluster, log)
         VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE processing_id = ?1),
                 ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         RETURNING number",
    )?;
    statement.query_row(
        params![
            job.processing_id,
            handover.queue,
            handover.token,
            task.map(|task| u32::try_from(task).unwrap_or(u32::MAX)),
            handover.width,
            handover.chain,
            Process::this().to_string(),
            now(),
            handover.cluster,
            job.log().to_string_lossy(),
        ],
        |row| row.get(0),
    )
}
