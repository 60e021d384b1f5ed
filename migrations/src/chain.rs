//! The way from one version of a schema to the next.

use runledger_steps::{self as steps, reached};
use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Error, Result};
use crate::version::VersionPlace;

/// One numbered change of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The version that the database has after it.
    pub version: u32,
    /// What it brings, in a few words for people.
    pub title: &'static str,
    /// The statements.
    pub sql: &'static str,
    /// A query that yields a row if the change is there already though the version does not say so:
    /// DAMNIT's own upgrade, interrupted, leaves this behind. The statements are left out then.
    /// None for statements that can be repeated.
    pub done: Option<&'static str>,
}

/// All steps of one kind of database, oldest first, numbered 1, 2, 3, ….
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    /// The steps.
    pub steps: &'static [Step],
    /// Where the database keeps its version.
    pub place: VersionPlace,
}

impl Chain {
    /// The version after the last step.
    pub fn latest(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.version)
    }

    /// The version that `conn` has, 0 where none is recorded. Reads only.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::WrongVersion`], or SQLite's.
    pub fn version(&self, conn: &Connection) -> Result<u32> {
        let known = self.latest();
        let found = self.place.read(conn)?;
        u32::try_from(found)
            .ok()
            .filter(|version| *version <= known)
            .ok_or(Error::Newer { found, known })
    }

    /// The steps that are still to be taken after `version`.
    pub fn after(&self, version: u32) -> impl Iterator<Item = &'static Step> + use<> {
        let steps = self.steps.iter();
        steps.filter(move |step| step.version > version)
    }

    /// Brings `conn` to the latest version from whatever it has, nothing included. Returns the steps
    /// taken by this call.
    ///
    /// Each step and its version are one transaction, so that a step that fails leaves the database as
    /// it was. Another program may do the same at the same time: each step is taken once.
    ///
    /// # Errors
    /// As for [`Chain::version`]; a newer database is left untouched.
    pub fn climb(&self, conn: &mut Connection) -> Result<Vec<Step>> {
        self.climb_after(conn, |_| Ok(()))
    }

    /// As [`Chain::climb`], with `before` called once, with the version there is, under the write lock
    /// and before anything is changed: the place to make a backup. If it fails, nothing is changed.
    ///
    /// # Errors
    /// As for [`Chain::climb`], and those of `before`.
    pub fn climb_after(
        &self,
        conn: &mut Connection,
        before: impl FnOnce(u32) -> Result<()>,
    ) -> Result<Vec<Step>> {
        let mut before = Some(before);
        let mut taken = Vec::new();
        let start = self.version(conn)?;
        for step in self.after(start) {
            let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let version = self.version(&transaction)?;
            if version >= step.version {
                continue;
            }
            // Further than at the start: another process is climbing, too, and did what comes before.
            if let Some(before) = before.take().filter(|_| version == start) {
                before(version)?;
            }
            self.take(&transaction, step)?;
            reached(steps::Step::VersionTaken);
            transaction.commit()?;
            reached(steps::Step::VersionCommitted);
            match start {
                0 => tracing::debug!(version = step.version, "database made: {}", step.title),
                _ => tracing::info!(version = step.version, "database upgraded: {}", step.title),
            }
            taken.push(*step);
        }
        Ok(taken)
    }

    /// Takes all steps after `version` within the caller's transaction.
    pub(crate) fn take_all(&self, conn: &Connection, version: u32) -> Result<()> {
        self.after(version)
            .try_for_each(|step| self.take(conn, step))
    }

    fn take(&self, conn: &Connection, step: &Step) -> Result<()> {
        let done = match step.done {
            Some(query) => conn.prepare(query)?.exists([])?,
            None => false,
        };
        if !done {
            conn.execute_batch(step.sql)?;
        }
        self.place.write(conn, step.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Step = Step {
        version: 1,
        title: "things",
        sql: "CREATE TABLE thing (name);",
        done: None,
    };
    const BROKEN: Step = Step {
        version: 2,
        title: "broken",
        sql: "CREATE TABLE other (name); CREATE TABLE thing (name);",
        done: None,
    };
    const ONE: Chain = Chain {
        steps: &[FIRST],
        place: VersionPlace::OwnTable,
    };
    const TWO: Chain = Chain {
        steps: &[FIRST, BROKEN],
        place: VersionPlace::OwnTable,
    };

    #[test]
    fn a_database_climbs_from_nothing_and_a_second_climb_does_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert_eq!(ONE.version(&conn).unwrap(), 0);
        assert_eq!(ONE.climb(&mut conn).unwrap(), [FIRST]);
        assert_eq!(ONE.version(&conn).unwrap(), 1);
        assert_eq!(ONE.climb(&mut conn).unwrap(), []);
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_at_the_version_before() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert!(matches!(TWO.climb(&mut conn), Err(Error::Sqlite(_))));
        assert_eq!(TWO.version(&conn).unwrap(), 1);
        assert!(conn.prepare("SELECT * FROM other").is_err());
    }

    #[test]
    fn a_database_of_a_longer_chain_is_refused_with_its_version() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE schema_version (version); INSERT INTO schema_version VALUES (2)",
        )
        .unwrap();
        let refused = ONE.climb(&mut conn).unwrap_err();
        assert!(matches!(refused, Error::Newer { found: 2, known: 1 }));
    }

    #[test]
    fn nothing_is_changed_when_the_backup_fails() {
        let mut conn = Connection::open_in_memory().unwrap();
        let refuse = |_| {
            Err(Error::Backup {
                path: "full".into(),
                reason: "no space".into(),
            })
        };
        assert!(ONE.climb_after(&mut conn, refuse).is_err());
        assert_eq!(ONE.version(&conn).unwrap(), 0);
    }
}
