//! Databases of older formats: what they are, bringing them to the present one, and the way back.

mod check;
mod convert;
mod files;
mod problem;
mod restore;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_context::run::RunId;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::database::{BUSY_TIMEOUT, FILE_NAME, connect, is_writable, look_for};
use crate::error::{Error, Result};

pub use check::check;
pub use convert::{
    Conversion, Converted, Survey, came_from, check_run_file, complete, convert_run_file, foresee,
    forget_draft, make_sure_of_room, runs_with_files, survey_run_file,
};
pub use problem::Problem;
pub use restore::{Copy, Restored, copies, restore};
pub use runledger_migrations::{Format, LATEST, Step, Upgrade};

/// How long another program may keep the database locked before an upgrade is given up.
pub const PATIENCE: Duration = BUSY_TIMEOUT;

/// What a database is, and what an upgrade would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The database file.
    pub path: PathBuf,
    /// The format that it has.
    pub format: Format,
    /// The steps that would be taken.
    pub steps: Vec<Step>,
    /// Where a copy of it would be kept, if anything is to be done.
    pub copy: Option<PathBuf>,
    /// Whether it and its folder can be written.
    pub writable: bool,
}

impl Plan {
    /// Makes sure that what is to be done can be.
    ///
    /// # Errors
    /// [`Error::DatabaseReadOnly`].
    pub fn make_sure_of_writing(&self) -> Result<()> {
        match self.writable || self.steps.is_empty() {
            true => Ok(()),
            false => Err(Error::DatabaseReadOnly {
                path: self.path.clone(),
            }),
        }
    }
}

/// Says what the database in `dir` is, and what an upgrade would do. Changes nothing.
///
/// # Errors
/// [`Error::NoDatabase`], [`Error::NewerDatabase`], [`Error::NotADatabase`], [`Error::DatabaseBusy`], ….
pub fn plan(dir: &Path) -> Result<Plan> {
    let (conn, path) = looking(dir)?;
    plan_of(&conn, &path)
}

fn plan_of(conn: &Connection, path: &Path) -> Result<Plan> {
    use runledger_migrations::{RUNS, backup_path, free_path};
    let failed = |error| Error::migration(path, error);
    let format = runledger_migrations::format(conn).map_err(failed)?;
    let (steps, copy) = match format {
        Format::Numbered(LATEST) => (Vec::new(), None),
        Format::Numbered(version) => (
            RUNS.after(version).copied().collect(),
            Some(free_path(&backup_path(path, version))),
        ),
        Format::Foreign => return Err(failed(runledger_migrations::Error::NoSteps(format))),
        format => {
            let name = format!("{}-backup.sqlite", format.in_file_names());
            let steps = RUNS.after(0).copied().collect();
            (steps, Some(free_path(&path.with_extension(name))))
        }
    };
    let dir = path.parent().unwrap_or(Path::new("."));
    let writable = is_writable(conn, dir).map_err(|error| Error::sqlite(path, error))?;
    Ok(Plan {
        path: path.into(),
        format,
        steps,
        copy,
        writable,
    })
}

/// Brings the database in `dir` from format 1 or later to the present one, waiting at most `patience` for others that
/// have it locked. Does nothing to one that has it.
///
/// # Errors
/// [`Error::DatabaseReadOnly`], [`Error::LegacyDatabase`], [`Error::DatabaseBusy`], [`Error::Upgrade`], …, and as for
/// [`plan`]. The database is as it was, or has the format that the last whole step led to.
pub fn upgrade(dir: &Path, patience: Duration) -> Result<Upgrade> {
    let path = dir.join(FILE_NAME);
    look_for(dir, &path)?;
    let mut conn = connect(&path, patience).map_err(|error| Error::sqlite(&path, error))?;
    plan_of(&conn, &path)?.make_sure_of_writing()?;
    runledger_migrations::upgrade_with_backup(&mut conn, &path)
        .map_err(|error| Error::migration(&path, error))
}

/// The runs of the table that have no file of results.
///
/// # Errors
/// As for [`plan`].
pub fn runs_without_file(dir: &Path) -> Result<Vec<RunId>> {
    let (conn, path) = looking(dir)?;
    let format = plan_of(&conn, &path)?.format;
    let runs = check::runs(&conn, format).map_err(|error| Error::sqlite(&path, error))?;
    let with: BTreeSet<RunId> = runs_with_files(dir)?.into_iter().collect();
    Ok(runs.difference(&with).copied().collect())
}

/// A connection through which nothing can be changed; a write-ahead log, too, stays as it is.
fn looking(dir: &Path) -> Result<(Connection, PathBuf)> {
    let path = dir.join(FILE_NAME);
    look_for(dir, &path)?;
    // An empty one that comes with the look goes with it.
    let has_log = dir.join(format!("{FILE_NAME}-wal")).exists();
    let open = || {
        let conn = connect(&path, PATIENCE)?;
        conn.pragma_update(None, "query_only", true)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
        Ok(conn)
    };
    let conn = open().map_err(|error| Error::sqlite(&path, error))?;
    Ok((conn, path))
}
