//! Where a job's database is.

use std::path::{Path, PathBuf};

use crate::trail::{Links, follow};
use crate::{Error, Job, Result};

/// What every database's folder has in it.
const TABLE: &str = "runs.sqlite";

/// The database's folder: anybody's links may lead there, and to nothing that is none.
pub(crate) fn database(job: &Job, links: &mut Links) -> Option<PathBuf> {
    let dir = Some(&job.database_dir).filter(|dir| dir.is_absolute())?;
    let place = follow(dir, |_, _| true, links).ok()?;
    place.path.join(TABLE).is_file().then_some(place.path)
}

/// Whoever writes a folder above the database's could put another in its place.
pub(crate) fn read_only(database: Option<&Path>, written: &[PathBuf]) -> Result<()> {
    let is_above = |place: &&PathBuf| database.is_some_and(|dir| dir.starts_with(place));
    match written.iter().find(is_above) {
        Some(place) => Err(Error::DatabaseWritten {
            place: place.clone(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_table_is_not_read_as_a_database() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let job = Job {
            database_dir: dir.clone(),
            ..Job::default()
        };
        let found = || database(&job, &mut Links::new());
        assert_eq!(found(), None);
        std::fs::write(dir.join(TABLE), "").unwrap();
        assert_eq!(found(), Some(dir));
    }
}
