//! Each try at a job: which process, where, and how it ended.

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::{Ledger, now};
use crate::Result;
use crate::queue::Process;

/// One try at a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// Who tried.
    pub process: Process,
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

impl Ledger {
    /// A process begins with a job; returns which try this is.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn begin_attempt(&mut self, processing_id: &str, process: &Process) -> Result<u32> {
        let begun = self.try_begin(processing_id, process);
        self.done(begun)
    }

    fn try_begin(&mut self, processing_id: &str, process: &Process) -> rusqlite::Result<u32> {
        // One that reads first and writes later is refused at once where another one wrote in between.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = transaction.query_row(
            "SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE processing_id = ?1",
            [processing_id],
            |row| row.get(0),
        )?;
        transaction.execute(
            "INSERT INTO attempts (processing_id, number, host, pid, pid_started, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                processing_id,
                number,
                process.host,
                process.pid,
                process.started,
                now()
            ],
        )?;
        transaction.execute(
            "UPDATE jobs SET state = 'running' WHERE processing_id = ?1 AND state IN ('planned', 'queued')",
            [processing_id],
        )?;
        transaction.commit()?;
        Ok(number)
    }

    /// A try has ended.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn end_attempt(&self, processing_id: &str, number: u32, ending: Ending) -> Result<()> {
        let (code, signal) = match ending {
            Ending::Exit(code) => (Some(code), None),
            Ending::Signal(signal) => (None, Some(signal)),
            Ending::Unseen => (None, None),
        };
        let done = self.connection.execute(
            "UPDATE attempts SET ended_at = ?3, exit_code = ?4, signal = ?5 WHERE processing_id = ?1 AND number = ?2",
            params![processing_id, number, now(), code, signal],
        );
        self.done(done).map(drop)
    }

    /// The latest try at a job.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn last_attempt(&self, processing_id: &str) -> Result<Option<Attempt>> {
        let found = self
            .connection
            .query_row(
                "SELECT number, host, pid, pid_started FROM attempts WHERE processing_id = ?1
                 ORDER BY number DESC LIMIT 1",
                [processing_id],
                |row| {
                    Ok(Attempt {
                        number: row.get(0)?,
                        process: Process {
                            host: row.get(1)?,
                            pid: row.get(2)?,
                            started: row.get(3)?,
                        },
                    })
                },
            )
            .optional();
        self.done(found)
    }
}
