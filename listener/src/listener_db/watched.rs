//! The databases that are watched.

use std::path::Path;

use runledger_context::run::Proposal;
use runledger_steps::{Step, reached};
use rusqlite::params;

use super::ListenerDb;
use crate::Result;
use crate::plan::Site;

impl ListenerDb {
    /// All watched databases, by proposal.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn sites(&self) -> Result<Vec<Site>> {
        let read = || -> rusqlite::Result<Vec<Site>> {
            let mut statement = self.connection.prepare(
                "SELECT proposal, db_dir, coalesce(official, 0) FROM proposal_databases
                 WHERE typeof(proposal) = 'integer' ORDER BY proposal, rowid",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(Site {
                    proposal: Proposal(row.get(0)?),
                    database_dir: row.get::<_, String>(1)?.into(),
                    official: row.get(2)?,
                })
            })?;
            rows.collect()
        };
        self.done(read())
    }

    /// Watches a database; false if it is watched already, for whatever proposal.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn watch(&mut self, site: &Site) -> Result<bool> {
        let added = self.connection.execute(
            "INSERT INTO proposal_databases (proposal, db_dir, official) VALUES (?1, ?2, ?3)
             ON CONFLICT (db_dir) DO NOTHING",
            params![
                site.proposal.0,
                site.database_dir.to_string_lossy(),
                site.official
            ],
        );
        let added = self.done(added)?;
        reached(Step::DatabaseWatched);
        Ok(added > 0)
    }

    /// Watches a database no more; false if it was not watched.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn unwatch(&mut self, database_dir: &Path) -> Result<bool> {
        let sql = "DELETE FROM proposal_databases WHERE db_dir = ?1";
        let removed = self
            .connection
            .execute(sql, [database_dir.to_string_lossy()]);
        Ok(self.done(removed)? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_watched_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = ListenerDb::open(folder.path()).unwrap();
        let site = Site {
            proposal: Proposal(1234),
            database_dir: "/db".into(),
            official: false,
        };
        assert!(db.watch(&site).unwrap() && !db.watch(&site).unwrap());
        assert_eq!(db.sites().unwrap(), [site]);
        assert!(db.unwatch(Path::new("/db")).unwrap() && !db.unwatch(Path::new("/db")).unwrap());
    }
}
