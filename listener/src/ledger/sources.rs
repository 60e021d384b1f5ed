//! Which job a message has led to.

use rusqlite::OptionalExtension;

use super::{Ledger, State};
use crate::Result;

impl Ledger {
    /// How far the job is that a message has led to; None where there is none.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn state_of_source(&self, source: &str) -> Result<Option<State>> {
        let sql = "SELECT state FROM jobs WHERE source = ?1";
        let found = self
            .connection
            .query_row(sql, [source], |row| row.get::<_, String>(0))
            .optional();
        Ok(self.done(found)?.map(|word| State::of(&word)))
    }
}
