//! The table of an older format, which nobody changes while its run files are converted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use hdf5_metno::File;
use runledger_context::run::RunId;
use runledger_migrations::{Counts, Format, Known, backup};
use runledger_steps::{Step, reached};
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::obstacles::make_sure;
use super::survey::{Survey, summaries};
use crate::database::{FILE_NAME, connect, look_for, views};
use crate::error::{Error, Result};
use crate::hdf5::{self, Content};
use crate::run_file;

/// The right to convert a database: others can read its table, and change it again when this is dropped.
#[derive(Debug)]
pub struct Conversion {
    dir: PathBuf,
    path: PathBuf,
    from: Format,
    conn: Connection,
}

/// What a conversion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The runs and cells that the table has.
    pub counts: Counts,
    /// The table as it was before.
    pub copy: PathBuf,
}

/// What a run's file says of its cells.
pub(super) struct About {
    pub(super) modified: Option<f64>,
    pub(super) max_diffs: BTreeMap<String, f64>,
    pub(super) pictures: BTreeMap<String, Vec<u8>>,
}

impl Conversion {
    /// Begins with the database in `dir`, which has to be of format `from`.
    ///
    /// # Errors
    /// [`Error::NotOfFormat`], [`Error::RunTwice`], [`Error::DatabaseReadOnly`], [`Error::File`] if the folder of results
    /// cannot be written, [`Error::DatabaseBusy`] after `patience`, ….
    pub fn begin(dir: &Path, from: Format, patience: Duration) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        look_for(dir, &path)?;
        let sqlite = |error| Error::sqlite(&path, error);
        let conn = connect(&path, patience).map_err(sqlite)?;
        conn.execute_batch("BEGIN IMMEDIATE").map_err(sqlite)?;
        make_sure(&conn, dir, &path, from)?;
        Ok(Self {
            dir: dir.into(),
            path,
            from,
            conn,
        })
    }

    /// Makes the table one of the present format, with what the run files say. The table as it was is kept beside it.
    ///
    /// # Errors
    /// [`Error::Upgrade`], [`Error::DatabaseFull`], …; the table is as it was then.
    pub fn finish(self, surveys: &BTreeMap<RunId, Survey>) -> Result<Converted> {
        let failed = |error| Error::migration(&self.path, error);
        let format = self.from.in_file_names();
        let to = self.path.with_extension(format!("{format}-backup.sqlite"));
        let copy = backup(&self.path, &to).map_err(failed)?;
        let files = surveys
            .iter()
            .map(|(run, survey)| (*run, about(&self.dir, *run, survey)))
            .collect();
        let change = || -> runledger_migrations::Result<Counts> {
            let counts = change(&self.conn, self.from, &files)?;
            views::include_all(&self.conn)?;
            reached(Step::TableConverted);
            self.conn.execute_batch("COMMIT")?;
            reached(Step::TableCommitted);
            Ok(counts)
        };
        match change() {
            Ok(counts) => Ok(Converted { counts, copy }),
            Err(why) => {
                // It says nothing that the table does not say.
                let _ = std::fs::remove_file(copy);
                Err(failed(why))
            }
        }
    }
}

fn change(
    conn: &Connection,
    from: Format,
    files: &BTreeMap<RunId, About>,
) -> runledger_migrations::Result<Counts> {
    if from == Format::Wide {
        return runledger_migrations::convert_wide(conn, |proposal, run, name| {
            known(files, proposal, run, name)
        });
    }
    let counts = runledger_migrations::convert_intermediate(conn)?;
    for (run, about) in files {
        show(conn, *run, &about.pictures)?;
    }
    Ok(counts)
}

/// Gives cells of a run that have something else the pictures in its file. Returns how many.
pub(super) fn show(
    conn: &Connection,
    run: RunId,
    pictures: &BTreeMap<String, Vec<u8>>,
) -> rusqlite::Result<usize> {
    let mut show = conn.prepare_cached(
        "UPDATE run_variables SET value = ?4, summary_type = NULL, summary_method = ''
         WHERE proposal = ?1 AND run = ?2 AND name = ?3 AND value IS NOT ?4",
    )?;
    let mut changed = 0;
    for (name, png) in pictures {
        changed += show.execute(params![run.proposal.0, run.number.0, name, png])?;
    }
    Ok(changed)
}

fn known(files: &BTreeMap<RunId, About>, proposal: &Value, run: &Value, name: &str) -> Known {
    let number = |value: &Value| match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        _ => None,
    };
    let run = number(proposal).zip(number(run));
    let Some(about) = run.and_then(|(proposal, run)| files.get(&RunId::new(proposal, run))) else {
        return Known::default();
    };
    Known {
        timestamp: about.modified,
        max_diff: about.max_diffs.get(name).copied(),
        picture: about.pictures.get(name).cloned(),
    }
}

/// A file that could not be read says nothing but its time, and is not opened again.
pub(super) fn about(dir: &Path, run: RunId, survey: &Survey) -> About {
    let path = run_file::path(dir, run);
    let modified = std::fs::metadata(&path).and_then(|about| about.modified());
    let since = modified
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    About {
        modified: since.map(|since| since.as_secs_f64()),
        max_diffs: survey.max_diffs.clone(),
        pictures: match survey.unread {
            true => BTreeMap::new(),
            false => thumbnails(&path).unwrap_or_default(),
        },
    }
}

fn thumbnails(path: &Path) -> hdf5::Outcome<BTreeMap<String, Vec<u8>>> {
    let file = File::open(path).map_err(hdf5::words)?;
    let mut found = BTreeMap::new();
    for (name, summary) in summaries(&file)? {
        if let Ok(Content::Png(png)) = hdf5::content(&summary) {
            found.insert(name, png);
        }
    }
    Ok(found)
}
