//! Each try at a job: in which queue, by which process, and how it ended.

use std::path::PathBuf;

use runledger_steps::{Step, reached};
use rusqlite::{Row, params};

use super::jobs::count;
use super::{Ledger, Open, State, now};
use crate::Result;
use crate::queue::{Process, Ticket};

/// One try at a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attempt {
    /// The job.
    pub processing_id: String,
    /// 1 for the first.
    pub number: u32,
    /// The queue's name: `local`, `slurm`.
    pub queue: String,
    /// By this a submission is found again; the tasks of an array share it.
    pub token: String,
    /// Its place in the array; None: a lone job.
    pub task: Option<u32>,
    /// So many tasks of the array run at once.
    pub width: Option<u32>,
    /// The first of the arrays that wait for each other.
    pub chain: Option<String>,
    /// The process that gave it to the queue.
    pub submitter: Option<Process>,
    /// Seconds since 1970.
    pub submitted_at: f64,
    /// Where the queue is to put it, or has put it.
    pub cluster: Option<String>,
    /// The queue's own name for it; None: it is not known to be in the queue.
    pub queue_id: Option<String>,
    /// Where it prints.
    pub log: Option<PathBuf>,
    /// Who does it; None: it has not begun.
    pub process: Option<Process>,
    /// Seconds since 1970.
    pub started_at: Option<f64>,
    /// Seconds since 1970.
    pub ended_at: Option<f64>,
    /// Its process's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended its process.
    pub signal: Option<i32>,
    /// The most memory that it took, in bytes, where the queue knows that.
    pub peak_memory: Option<u64>,
    /// Why it ended, in words.
    pub reason: Option<String>,
}

impl Attempt {
    /// Whether a queue can be asked about it.
    pub fn is_in_queue(&self) -> bool {
        self.queue_id.is_some() || self.process.is_some()
    }

    /// Whether a queue has had it, and no process of it has ever said that it begins.
    pub fn never_began(&self) -> bool {
        self.queue_id.is_some() && self.started_at.is_none()
    }

    /// How the queue names it, if it has it.
    pub fn ticket(&self) -> Option<Ticket> {
        let id = self.queue_id.clone()?;
        let cluster = self.cluster.clone();
        Some(Ticket { id, cluster })
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Exit(i32),
    /// Ended by this signal.
    Signal(i32),
    /// Nobody was there to see.
    Unseen,
}

const COLUMNS: &str = "processing_id, number, queue, token, task, width, chain, submitter, submitted_at, cluster, \
     queue_id, log, host, pid, pid_started, started_at, attempts.ended_at, exit_code, signal, peak_memory, reason";

impl Ledger {
    /// All tries at a job, the first one first.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn attempts(&self, processing_id: &str) -> Result<Vec<Attempt>> {
        self.select_attempts(
            "WHERE processing_id = ?1 ORDER BY number",
            &[&processing_id],
        )
    }

    /// All tries at all jobs: those at one job together, the first one first.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn all_attempts(&self) -> Result<Vec<Attempt>> {
        self.select_attempts("ORDER BY processing_id, number", &[])
    }

    /// The latest try at a job.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn last_attempt(&self, processing_id: &str) -> Result<Option<Attempt>> {
        Ok(self.attempts(processing_id)?.pop())
    }

    /// The tries about whose end a queue is still to be asked.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn open_attempts(&self) -> Result<Vec<Open>> {
        let sql = format!(
            "SELECT {COLUMNS}, jobs.state FROM attempts JOIN jobs USING (processing_id)
             WHERE settled = 0 ORDER BY submitted_at, task"
        );
        let open = |row: &Row<'_>| {
            Ok(Open {
                attempt: attempt(row)?.into(),
                state: State::of(&row.get::<_, String>(21)?),
            })
        };
        let read = || -> rusqlite::Result<Vec<Open>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map([], open)?;
            rows.collect()
        };
        self.done(read())
    }

    /// The try that a task of an array is to make.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn attempt_of_task(&self, token: &str, task: u32) -> Result<Option<Attempt>> {
        let found = self.select_attempts("WHERE token = ?1 AND task = ?2", &[&token, &task])?;
        Ok(found.into_iter().next())
    }

    fn select_attempts(
        &self,
        condition: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<Attempt>> {
        let sql = format!("SELECT {COLUMNS} FROM attempts {condition}");
        let read = || -> rusqlite::Result<Vec<Attempt>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(values, attempt)?;
            rows.collect()
        };
        self.done(read())
    }

    /// Nothing more is to be asked about a try.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn settled(&self, processing_id: &str, number: u32) -> Result<()> {
        let done = self.connection.execute(
            "UPDATE attempts SET settled = 1, ended_at = coalesce(ended_at, ?3)
             WHERE processing_id = ?1 AND number = ?2",
            params![processing_id, number, now()],
        );
        self.done(done)?;
        reached(Step::AttemptSettled);
        Ok(())
    }

    /// What a queue knows about the end of a try; what is known already stays.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn note_end(
        &self,
        processing_id: &str,
        number: u32,
        ending: Ending,
        peak_memory: Option<u64>,
        reason: &str,
    ) -> Result<()> {
        let (code, signal) = match ending {
            Ending::Exit(code) => (Some(code), None),
            Ending::Signal(signal) => (None, Some(signal)),
            Ending::Unseen => (None, None),
        };
        let memory = peak_memory.and_then(|bytes| i64::try_from(bytes).ok());
        let done = self.connection.execute(
            "UPDATE attempts SET ended_at = coalesce(ended_at, ?3), exit_code = coalesce(?4, exit_code),
                signal = coalesce(?5, signal), peak_memory = coalesce(?6, peak_memory), reason = coalesce(reason, ?7)
             WHERE processing_id = ?1 AND number = ?2",
            params![processing_id, number, now(), code, signal, memory, reason],
        );
        self.done(done)?;
        reached(Step::AttemptEndNoted);
        Ok(())
    }
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let process = match (row.get(12)?, row.get(13)?, row.get(14)?) {
        (Some(host), Some(pid), Some(started)) => Some(Process { host, pid, started }),
        _ => None,
    };
    Ok(Attempt {
        processing_id: row.get(0)?,
        number: row.get(1)?,
        queue: row.get(2)?,
        token: row.get(3)?,
        task: row.get(4)?,
        width: row.get(5)?,
        chain: row.get(6)?,
        submitter: row.get::<_, String>(7)?.parse().ok(),
        submitted_at: row.get(8)?,
        cluster: row.get(9)?,
        queue_id: row.get(10)?,
        log: row.get::<_, Option<String>>(11)?.map(PathBuf::from),
        process,
        started_at: row.get(15)?,
        ended_at: row.get(16)?,
        exit_code: count(row, 17)?,
        signal: count(row, 18)?,
        peak_memory: count(row, 19)?,
        reason: row.get(20)?,
    })
}
