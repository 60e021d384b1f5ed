//! A process takes its attempt before it begins: whatever was submitted twice is done once.

use runledger_steps::{Step, reached};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::{Ledger, State, now};
use crate::Result;
use crate::queue::{Process, Surroundings};

/// Whether a process may do a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It may, as this attempt.
    Granted(u32),
    /// It may not, for this reason.
    Refused(String),
}

/// What the ledger has of the attempt that a process was started for.
struct Standing {
    state: State,
    held: bool,
    last: u32,
    started_by: Option<Process>,
    queue_id: Option<String>,
    is_over: bool,
}

impl Ledger {
    /// A process begins with attempt `number` of a job that is in this ledger; without a number, with a new one.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn claim(
        &mut self,
        processing_id: &str,
        number: Option<u32>,
        process: &Process,
        surroundings: &Surroundings,
    ) -> Result<Claim> {
        let claimed = self.try_claim(processing_id, number, process, surroundings);
        self.done(claimed)
    }

    fn try_claim(
        &mut self,
        processing_id: &str,
        number: Option<u32>,
        process: &Process,
        surroundings: &Surroundings,
    ) -> rusqlite::Result<Claim> {
        // One that reads first and writes later is refused at once where another one wrote in between.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = match number {
            Some(number) => {
                let refusal = standing(&transaction, processing_id, number)?
                    .and_then(|standing| standing.refusal(number, process, surroundings));
                if let Some(why) = refusal {
                    return Ok(Claim::Refused(why));
                }
                number
            }
            None => next_number(&transaction, processing_id)?,
        };
        begin(&transaction, processing_id, number, process, surroundings)?;
        transaction.commit()?;
        reached(Step::JobClaimed);
        Ok(Claim::Granted(number))
    }

    /// An attempt still runs.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn see(&self, processing_id: &str, number: u32) -> Result<()> {
        let done = self.connection.execute(
            "UPDATE attempts SET seen_at = ?3 WHERE processing_id = ?1 AND number = ?2",
            params![processing_id, number, now()],
        );
        self.done(done).map(drop)
    }

    /// Whether an attempt may be under way, whatever a queue knows of it: its process lives on this host, or has said
    /// so from another one in the last seconds.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn may_run(&self, processing_id: &str, number: u32, seconds: f64) -> Result<bool> {
        let mut attempts = self.attempts(processing_id)?.into_iter();
        let Some(attempt) = attempts.find(|attempt| attempt.number == number) else {
            return Ok(false);
        };
        match attempt.process {
            _ if attempt.ended_at.is_some() => Ok(false),
            Some(process) if process.is_here() => Ok(process.is_alive()),
            _ => self.was_seen(processing_id, number, seconds),
        }
    }

    fn was_seen(&self, processing_id: &str, number: u32, seconds: f64) -> Result<bool> {
        let seen = self
            .connection
            .query_row(
                // One from the future was written before the clock was set back: it says nothing.
                "SELECT coalesce(seen_at BETWEEN ?3 AND ?4, 0) FROM attempts WHERE processing_id = ?1 AND number = ?2",
                params![processing_id, number, now() - seconds, now() + seconds],
                |row| row.get(0),
            )
            .optional();
        Ok(self.done(seen)?.unwrap_or(false))
    }
}

impl Standing {
    fn refusal(
        &self,
        number: u32,
        process: &Process,
        surroundings: &Surroundings,
    ) -> Option<String> {
        let is_same = self.started_by.as_ref() == Some(process);
        let is_requeued = surroundings.restarts > 0 && self.queue_id == surroundings.queue_id;
        if self.state.is_final() {
            Some(format!("the job is {} already", self.state.as_str()))
        } else if self.held {
            Some("the job was stopped".into())
        } else if self.last > number {
            Some(format!("attempt {} has taken its place", self.last))
        } else if self.is_over && !is_requeued {
            Some("this attempt was given up".into())
        } else {
            // Slurm starts a second time what it has forgotten, and counts that from 0: nobody is at it any more.
            let is_dead = |other: &&Process| other.is_here() && !other.is_alive();
            let other = self.started_by.as_ref().filter(|_| !is_same)?;
            if is_dead(&other) {
                return None;
            }
            let why = format!(
                "process {} of {} has begun with it already",
                other.pid, other.host
            );
            (!is_requeued).then_some(why)
        }
    }
}

/// None: the ledger knows nothing of the attempt, so nothing speaks against it.
fn standing(
    connection: &Connection,
    processing_id: &str,
    number: u32,
) -> rusqlite::Result<Option<Standing>> {
    let sql = "SELECT state, held, (SELECT max(number) FROM attempts WHERE processing_id = ?1),
                      host, pid, pid_started, queue_id, attempts.ended_at IS NOT NULL
               FROM jobs JOIN attempts USING (processing_id) WHERE processing_id = ?1 AND number = ?2";
    let read = |row: &Row<'_>| {
        Ok(Standing {
            state: State::of(&row.get::<_, String>(0)?),
            held: row.get(1)?,
            last: row.get(2)?,
            started_by: match (row.get(3)?, row.get(4)?, row.get(5)?) {
                (Some(host), Some(pid), Some(started)) => Some(Process { host, pid, started }),
                _ => None,
            },
            queue_id: row.get(6)?,
            is_over: row.get(7)?,
        })
    };
    connection
        .query_row(sql, params![processing_id, number], read)
        .optional()
}

fn next_number(connection: &Connection, processing_id: &str) -> rusqlite::Result<u32> {
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE processing_id = ?1";
    connection.query_row(sql, [processing_id], |row| row.get(0))
}

fn begin(
    connection: &Connection,
    processing_id: &str,
    number: u32,
    process: &Process,
    surroundings: &Surroundings,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO attempts (processing_id, number, queue, token, submitter, submitted_at, cluster, queue_id,
                               host, pid, pid_started, started_at, seen_at)
         VALUES (?1, ?2, ?3, ?1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?5, iif(?7 IS NULL, NULL, ?5))
         ON CONFLICT (processing_id, number) DO UPDATE SET
             host = excluded.host, pid = excluded.pid, pid_started = excluded.pid_started,
             started_at = excluded.started_at, seen_at = excluded.seen_at, ended_at = NULL, settled = 0, told = 0,
             cluster = coalesce(cluster, excluded.cluster), queue_id = coalesce(queue_id, excluded.queue_id)",
        params![
            processing_id,
            number,
            surroundings.queue(),
            process.to_string(),
            now(),
            surroundings.cluster,
            surroundings.queue_id,
            process.host,
            process.pid,
            process.started,
        ],
    )?;
    connection.execute(
        "UPDATE jobs SET state = 'running', message = NULL, ended_at = NULL, next_try = NULL WHERE processing_id = ?1",
        [processing_id],
    )?;
    Ok(())
}
