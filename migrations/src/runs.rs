//! The run table's chain: formats 1 to 4, shared with DAMNIT.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::backup::{backup, backup_path};
use crate::chain::{Chain, Step};
use crate::error::{Error, Result};
use crate::format::{Format, format};
use crate::version::VersionPlace;

/// The format that this program writes.
pub const LATEST: u32 = 4;

/// Every format of `runs.sqlite` since the narrow table of cells.
pub const RUNS: Chain = Chain {
    steps: &[
        Step {
            version: 1,
            title: "runs, cells and variables",
            sql: include_str!("../runs/0001_runs_and_cells.sql"),
            done: None,
        },
        Step {
            version: 2,
            title: "attributes of cells",
            sql: include_str!("../runs/0002_cell_attributes.sql"),
            done: Some(
                "SELECT 1 FROM pragma_table_info('run_variables') WHERE name = 'attributes'",
            ),
        },
        Step {
            version: 3,
            title: "tags",
            sql: include_str!("../runs/0003_tags.sql"),
            done: None,
        },
        Step {
            version: LATEST,
            title: "unused tags go",
            sql: include_str!("../runs/0004_orphan_tags.sql"),
            done: None,
        },
    ],
    place: VersionPlace::Metameta,
};

/// Makes the schema in an empty database, step by step.
///
/// # Errors
/// SQLite's; [`Error::Newer`] and the like if it was not empty.
pub fn create(conn: &mut Connection) -> Result<()> {
    RUNS.climb(conn).map(drop)
}

/// The format of a run table; 0 for the legacy format, and for anything that is no run table.
///
/// # Errors
/// [`Error::Newer`], [`Error::WrongVersion`], or SQLite's.
pub fn version(conn: &Connection) -> Result<u32> {
    RUNS.version(conn)
}

/// Brings a run table of format 1 or later to the latest, without a backup. Returns the steps taken.
///
/// # Errors
/// [`Error::NoSteps`] for what is none, else as for [`Chain::climb`].
pub fn upgrade(conn: &mut Connection) -> Result<Vec<Step>> {
    numbered(conn)?;
    RUNS.climb(conn)
}

/// What an upgrade did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upgrade {
    /// The steps that were taken; none if there was nothing to do.
    pub steps: Vec<Step>,
    /// Where the copy is of the database as it was; none if there was nothing to do.
    pub copy: Option<PathBuf>,
}

/// As [`upgrade`], keeping a copy of the database `path` as it was in `runs.v{N}-backup.sqlite` beside it.
/// No copy is made if there is nothing to do, and none stays if nothing could be done.
///
/// # Errors
/// As for [`upgrade`], and [`Error::Backup`].
pub fn upgrade_with_backup(conn: &mut Connection, path: &Path) -> Result<Upgrade> {
    let start = numbered(conn)?;
    let mut copy = None;
    let climbed = RUNS.climb_after(conn, |version| {
        let made = backup(path, &backup_path(path, version))?;
        tracing::info!(copy = %made.display(), "database copied before its upgrade");
        copy = Some(made);
        Ok(())
    });
    match climbed {
        Ok(steps) => Ok(Upgrade { steps, copy }),
        Err(why) => {
            if let (Some(copy), Ok(version)) = (copy, version(conn))
                && version == start
            {
                // It says nothing that the database does not say. One that cannot be removed does no harm.
                let _ = std::fs::remove_file(copy);
            }
            Err(why)
        }
    }
}

/// The version of a run table that steps lead on from.
fn numbered(conn: &Connection) -> Result<u32> {
    match format(conn)? {
        Format::Numbered(version) => Ok(version),
        other => Err(Error::NoSteps(other)),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::OpenFlags;

    use super::*;
    use crate::{connect, schema};

    #[test]
    fn steps_are_numbered_from_one_without_gaps() {
        let numbers: Vec<u32> = RUNS.steps.iter().map(|step| step.version).collect();
        assert_eq!(numbers, (1..=LATEST).collect::<Vec<_>>());
    }

    #[test]
    fn latest_sql_is_what_the_steps_amount_to() {
        let mut climbed = Connection::open_in_memory().unwrap();
        create(&mut climbed).unwrap();
        let told = Connection::open_in_memory().unwrap();
        told.execute_batch(include_str!("../runs/latest.sql"))
            .unwrap();
        assert_eq!(schema(&told).unwrap(), schema(&climbed).unwrap());
    }

    #[test]
    fn a_version_that_is_no_integer_is_named_in_the_error() {
        for (value, named) in [
            ("'four'", "\"four\""),
            ("'4.0'", "\"4.0\""),
            ("'-4'", "\"-4\""),
            ("4.0", "real number 4"),
            ("NULL", "null"),
            ("-1", "-1"),
        ] {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch("CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value)")
                .unwrap();
            conn.execute_batch(&format!(
                "INSERT INTO metameta VALUES ('data_format_version', {value})"
            ))
            .unwrap();
            let message = version(&conn).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn a_version_that_is_the_text_of_a_number_counts_as_that() {
        let mut conn = Connection::open_in_memory().unwrap();
        create(&mut conn).unwrap();
        conn.execute_batch("UPDATE metameta SET value = '4' WHERE key = 'data_format_version'")
            .unwrap();
        assert_eq!(version(&conn).unwrap(), LATEST);
        assert_eq!(upgrade(&mut conn).unwrap(), []);
    }

    #[test]
    fn what_no_steps_lead_on_from_is_refused() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE runs (proposal, runnr)")
            .unwrap();
        assert!(matches!(
            upgrade(&mut conn),
            Err(Error::NoSteps(Format::Wide))
        ));
    }

    #[test]
    fn an_upgrade_that_could_not_begin_leaves_no_copy_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.sqlite");
        let mut conn = connect(&path, OpenFlags::default()).unwrap();
        conn.execute_batch(RUNS.steps[0].sql).unwrap();
        RUNS.place.write(&conn, 1).unwrap();
        let reader = connect(&path, OpenFlags::default()).unwrap();
        reader
            .execute_batch("BEGIN; SELECT * FROM metameta")
            .unwrap();
        conn.busy_timeout(std::time::Duration::ZERO).unwrap();
        assert!(upgrade_with_backup(&mut conn, &path).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        reader.execute_batch("COMMIT").unwrap();
        let upgrade = upgrade_with_backup(&mut conn, &path).unwrap();
        assert_eq!(upgrade.steps.len(), 3);
        assert!(upgrade.copy.unwrap().ends_with("runs.v1-backup.sqlite"));
    }

    #[test]
    fn an_upgrade_that_another_program_left_half_done_is_finished() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(RUNS.steps[0].sql).unwrap();
        conn.execute_batch(RUNS.steps[1].sql).unwrap();
        RUNS.place.write(&conn, 1).unwrap();
        assert_eq!(upgrade(&mut conn).unwrap().len(), 3);
        assert_eq!(version(&conn).unwrap(), LATEST);
    }

    #[test]
    fn a_tag_goes_with_the_last_variable_that_has_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        create(&mut conn).unwrap();
        conn.execute_batch(
            "INSERT INTO variables (name) VALUES ('a'), ('b');
             INSERT INTO tags (id, name) VALUES (1, 'x'), (2, 'y');
             INSERT INTO variable_tags VALUES ('a', 1), ('b', 1), ('b', 2);
             DELETE FROM variable_tags WHERE variable_name = 'b';",
        )
        .unwrap();
        let left: Vec<String> = conn
            .prepare("SELECT name FROM tags")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        assert_eq!(left, ["x"]);
    }
}
