//! Which runs a database knows, and when they were taken.

use runledger_context::run::RunId;
use runledger_steps::{Step, reached};
use rusqlite::{Connection, Row, params};

use super::Database;
use crate::error::Result;

/// Columns have no type: rows whose numbers can't be a run's are somebody else's.
pub(super) const IS_A_RUN: &str =
    "typeof(proposal) = 'integer' AND proposal BETWEEN 0 AND 4294967295
     AND typeof(run) = 'integer' AND run BETWEEN 0 AND 4294967295";

impl Database {
    /// Every run, by proposal and number, those without a start time too.
    ///
    /// # Errors
    /// SQLite's.
    pub fn runs(&self) -> Result<Vec<RunId>> {
        let query =
            format!("SELECT proposal, run FROM run_info WHERE {IS_A_RUN} ORDER BY proposal, run");
        self.read(|conn| conn.prepare(&query)?.query_map([], run_id)?.collect())
    }

    /// Adds a run, without start time, unless it is there. `added_at` is in seconds since 1970 and only kept for a new run.
    ///
    /// # Errors
    /// SQLite's.
    pub fn ensure_run(&mut self, run: RunId, added_at: f64) -> Result<()> {
        self.ensure_runs([(run, added_at)])
    }

    /// Adds those of the runs, each with its `added_at`, that are not there: all in one transaction.
    ///
    /// # Errors
    /// SQLite's.
    pub fn ensure_runs(&mut self, runs: impl IntoIterator<Item = (RunId, f64)>) -> Result<()> {
        self.write(|conn| {
            runs.into_iter()
                .try_for_each(|(run, added_at)| ensure_run(conn, run, added_at, None))
        })?;
        reached(Step::RunsInTable);
        Ok(())
    }
}

/// A start time is taken whenever one comes: the run may have been there before it was known.
pub(super) fn ensure_run(
    conn: &Connection,
    run: RunId,
    added_at: f64,
    start_time: Option<f64>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO run_info (proposal, run, start_time, added_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (proposal, run) DO UPDATE SET start_time = excluded.start_time
         WHERE excluded.start_time IS NOT NULL",
    )?;
    statement.execute(params![run.proposal.0, run.number.0, start_time, added_at])?;
    Ok(())
}

/// The run in a row's first two columns.
pub(super) fn run_id(row: &Row<'_>) -> rusqlite::Result<RunId> {
    Ok(RunId::new(row.get(0)?, row.get(1)?))
}
