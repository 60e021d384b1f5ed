//! What people don't want to go on is cancelled, killed or held; what the queue does not give up goes on after all.

use runledger_steps::{Step, reached};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Ledger, State, now};
use crate::Result;

/// A job that had not ended, as it was when it was called off.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// The job.
    pub processing_id: String,
    state: State,
    held: bool,
    message: Option<String>,
    next_try: Option<f64>,
}

impl Ledger {
    /// A person does not want jobs to go on: they are at their end (`state`), or held until told to go on (`None`).
    /// Returns those that had not ended before.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn call_off(
        &mut self,
        ids: &[String],
        state: Option<State>,
        why: &str,
    ) -> Result<Vec<Unfinished>> {
        let done = self.try_call_off(ids, state, why);
        self.done(done)
    }

    fn try_call_off(
        &mut self,
        ids: &[String],
        state: Option<State>,
        why: &str,
    ) -> rusqlite::Result<Vec<Unfinished>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut called_off = Vec::new();
        for id in ids {
            if let Some(before) = unfinished(&transaction, id)? {
                call_off(&transaction, id, state, why)?;
                called_off.push(before);
            }
        }
        transaction.commit()?;
        reached(Step::JobsCalledOff);
        Ok(called_off)
    }

    /// Jobs that were called off for this reason go on as they were, unless somebody has decided otherwise meanwhile.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn reinstate(&mut self, jobs: &[Unfinished], why: &str) -> Result<()> {
        let done = self.try_reinstate(jobs, why);
        self.done(done)
    }

    fn try_reinstate(&mut self, jobs: &[Unfinished], why: &str) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in jobs {
            reinstate(&transaction, job, why)?;
        }
        transaction.commit()
    }
}

/// How a job is that has not ended.
fn unfinished(
    connection: &Connection,
    processing_id: &str,
) -> rusqlite::Result<Option<Unfinished>> {
    let sql = "SELECT state, held, message, next_try FROM jobs
               WHERE processing_id = ?1 AND state IN ('planned', 'submitted', 'pending', 'running')";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([processing_id], |row| {
        Ok(Unfinished {
            processing_id: processing_id.to_owned(),
            state: State::of(&row.get::<_, String>(0)?),
            held: row.get(1)?,
            message: row.get(2)?,
            next_try: row.get(3)?,
        })
    });
    found.optional()
}

fn call_off(
    connection: &Connection,
    processing_id: &str,
    state: Option<State>,
    why: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE jobs SET state = ?2, held = ?3, message = ?4, ended_at = ?5, next_try = NULL
             WHERE processing_id = ?1",
        )?
        .execute(params![
            processing_id,
            state.unwrap_or(State::Planned).as_str(),
            state.is_none(),
            why,
            state.map(|_| now()),
        ])?;
    connection
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?2, reason = ?3 WHERE processing_id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![processing_id, now(), why])?;
    Ok(())
}

fn reinstate(connection: &Connection, job: &Unfinished, why: &str) -> rusqlite::Result<()> {
    let changed = connection.execute(
        "UPDATE jobs SET state = ?3, held = ?4, message = ?5, next_try = ?6, ended_at = NULL
         WHERE processing_id = ?1 AND message = ?2",
        params![
            job.processing_id,
            why,
            job.state.as_str(),
            job.held,
            job.message,
            job.next_try
        ],
    )?;
    if changed > 0 {
        connection.execute(
            "UPDATE attempts SET ended_at = NULL, reason = NULL
             WHERE processing_id = ?1 AND reason = ?2 AND settled = 0",
            [&job.processing_id, why],
        )?;
    }
    Ok(())
}
