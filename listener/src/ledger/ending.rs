//! How jobs end, and how they begin again.

use runledger_steps::{Step, reached};
use rusqlite::{TransactionBehavior, params};

use super::{Ledger, Progress, State, now};
use crate::Result;

impl Ledger {
    /// Attempt `number` has ended, and its job with it, having come this far. What a person has decided meanwhile,
    /// and what a later attempt does, stays; returns whether the job has this state now.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn end(
        &mut self,
        processing_id: &str,
        number: u32,
        state: State,
        message: Option<&str>,
        progress: Option<Progress>,
    ) -> Result<bool> {
        let ended = self.try_end(processing_id, number, state, message, progress);
        self.done(ended)
    }

    fn try_end(
        &mut self,
        processing_id: &str,
        number: u32,
        state: State,
        message: Option<&str>,
        progress: Option<Progress>,
    ) -> rusqlite::Result<bool> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = transaction.execute(
            "UPDATE jobs SET state = ?3, message = ?4, ended_at = ?5,
                    done = coalesce(?6, done), variables = coalesce(?7, variables)
             WHERE processing_id = ?1 AND state IN ('planned', 'submitted', 'pending', 'running') AND held = 0
               AND ?2 = (SELECT max(number) FROM attempts WHERE processing_id = ?1)",
            params![
                processing_id,
                number,
                state.as_str(),
                message,
                now(),
                progress.map(|progress| progress.done),
                progress.map(|progress| progress.variables),
            ],
        )?;
        transaction.execute(
            "UPDATE attempts SET ended_at = coalesce(ended_at, ?3), reason = coalesce(reason, ?4)
             WHERE processing_id = ?1 AND number = ?2",
            params![processing_id, number, now(), message],
        )?;
        transaction.commit()?;
        reached(Step::JobEndInLedger);
        Ok(changed > 0)
    }

    /// A job that has ended, or is held, or waits for its next try, is to be done (again) now. Returns false for one
    /// that a queue has.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn try_again(&self, processing_id: &str) -> Result<bool> {
        let changed = self.connection.execute(
            "UPDATE jobs SET state = 'planned', held = 0, failures = 0, unbegun = 0, next_try = NULL, message = NULL,
                    ended_at = NULL, done = NULL, variables = NULL
             WHERE processing_id = ?1 AND state NOT IN ('submitted', 'pending', 'running')",
            [processing_id],
        );
        let changed = self.done(changed)?;
        reached(Step::JobTriedAgain);
        Ok(changed > 0)
    }
}
