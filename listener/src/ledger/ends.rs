//! The ends of attempts that nobody has told of yet: people who look settle some, and the listener tells of them all.

use runledger_steps::{Step, reached};

use super::{Attempt, Entry, Ledger};
use crate::Result;

/// An attempt that has ended, and how its job is since.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// The job.
    pub entry: Entry,
    /// The attempt.
    pub attempt: Attempt,
    /// Whether there has been none since.
    pub is_last: bool,
}

impl Ledger {
    /// The ends that were not told of: the one who takes them does so, and nobody after them.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn take_ends(&self) -> Result<Vec<End>> {
        let names = self.done(self.try_take_ends())?;
        let ends = names.iter().map(|(id, number)| self.end_of(id, *number));
        Ok(ends
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    fn try_take_ends(&self) -> rusqlite::Result<Vec<(String, u32)>> {
        // Nothing is locked where there is nothing to take.
        let is_there = "SELECT EXISTS (SELECT 1 FROM attempts WHERE told = 0 AND settled = 1)";
        if !self.connection.query_row(is_there, [], |row| row.get(0))? {
            return Ok(Vec::new());
        }
        let take = "UPDATE attempts SET told = 1 WHERE told = 0 AND settled = 1 RETURNING processing_id, number";
        let mut statement = self.connection.prepare_cached(take)?;
        let taken = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let taken = taken.collect::<rusqlite::Result<_>>()?;
        reached(Step::EndsTaken);
        Ok(taken)
    }

    fn end_of(&self, processing_id: &str, number: u32) -> Result<Option<End>> {
        let attempts = self.attempts(processing_id)?;
        let is_last = attempts.last().is_some_and(|last| last.number == number);
        let attempt = attempts
            .into_iter()
            .find(|attempt| attempt.number == number);
        let end = |(entry, attempt)| End {
            entry,
            attempt,
            is_last,
        };
        Ok(self.job(processing_id)?.zip(attempt).map(end))
    }
}
