//! How new the values of each run are, so that an old fragment that turns up late changes nothing.

use runledger_context::run::RunId;
use runledger_steps::{Step, reached};
use rusqlite::{Transaction, TransactionBehavior, params};

use super::{Ledger, outbox};
use crate::Result;

impl Ledger {
    /// The variables of a run that have values from fragments written after `moment` (seconds since 1970), and when
    /// those were written.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn merged_after(&self, run: RunId, moment: f64) -> Result<Vec<(String, f64)>> {
        let read = || {
            let sql = "SELECT name, written_at FROM merged WHERE proposal = ?1 AND run = ?2 AND written_at > ?3";
            let mut statement = self.connection.prepare(sql)?;
            let key = params![run.proposal.0, run.number.0, moment];
            let rows = statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        self.done(read())
    }

    /// Variables of a run have values from fragments written at these moments; the message about it waits in the
    /// outbox, in the same transaction.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn note_merge(
        &mut self,
        run: RunId,
        merged: &[(&str, f64)],
        news: Option<(String, Vec<u8>)>,
    ) -> Result<()> {
        let noted = self.try_note(run, merged, news);
        self.done(noted)
    }

    fn try_note(
        &mut self,
        run: RunId,
        merged: &[(&str, f64)],
        news: Option<(String, Vec<u8>)>,
    ) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        note(&transaction, run, merged)?;
        outbox::keep(&transaction, news.as_slice())?;
        transaction.commit()?;
        reached(Step::MergeNoted);
        Ok(())
    }
}

fn note(transaction: &Transaction<'_>, run: RunId, merged: &[(&str, f64)]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "INSERT INTO merged (proposal, run, name, written_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (proposal, run, name) DO UPDATE SET written_at = max(written_at, excluded.written_at)",
    )?;
    for (name, written_at) in merged {
        statement.execute(params![run.proposal.0, run.number.0, name, written_at])?;
    }
    Ok(())
}
