//! Run files that could not be converted along with their table, and are converted when they can be.
//!
//! The table has the present format then, and is in use: it is changed in one short transaction, and of its cells only
//! those are that nobody has written since.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_migrations::{Format, LATEST};
use runledger_steps::{Step, reached};
use rusqlite::{Connection, TransactionBehavior, params};

use super::super::copies;
use super::originals;
use super::survey::Survey;
use super::table::{About, about, show};
use crate::database::{FILE_NAME, connect, look_for};
use crate::error::{Error, Result};

/// Whether a database of the present format was brought to it from `from`: a copy of then is beside it, or the originals of
/// its run files are.
///
/// # Errors
/// [`Error::File`]: the folder cannot be read.
pub fn came_from(dir: &Path, from: Format) -> Result<bool> {
    Ok(
        originals::folder(dir, from).is_dir()
            || copies(dir)?.iter().any(|copy| copy.format == from),
    )
}

/// Adds to the cells of a database of the present format what the files of these runs say of them, as if they had been
/// converted along with it: thumbnails and, for format 0, how far numbers spread. Cells that were written since stay as
/// they are. Returns how many were changed.
///
/// # Errors
/// [`Error::NotOfFormat`], [`Error::DatabaseBusy`] after `patience`, …; the table is as it was then.
pub fn complete(
    dir: &Path,
    from: Format,
    surveys: &BTreeMap<RunId, Survey>,
    patience: Duration,
) -> Result<usize> {
    let path = dir.join(FILE_NAME);
    look_for(dir, &path)?;
    let sqlite = |error| Error::sqlite(&path, error);
    let abouts: Vec<(RunId, About)> = surveys
        .iter()
        .map(|(run, survey)| (*run, about_pictures(dir, *run, survey)))
        .collect();
    let mut conn = connect(&path, patience).map_err(sqlite)?;
    let change = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite)?;
    let found =
        runledger_migrations::format(&change).map_err(|error| Error::migration(&path, error))?;
    if found != Format::Numbered(LATEST) {
        let wanted = Format::Numbered(LATEST);
        return Err(Error::NotOfFormat {
            path,
            found,
            wanted,
        });
    }
    let mut changed = 0;
    for (run, about) in &abouts {
        changed += complete_run(&change, from, *run, about).map_err(sqlite)?;
    }
    change.commit().map_err(sqlite)?;
    reached(Step::LateFilesTold);
    Ok(changed)
}

/// Of the pictures in the file those that were made from older ones: others are in the table.
fn about_pictures(dir: &Path, run: RunId, survey: &Survey) -> About {
    let mut about = about(dir, run, survey);
    let is_redrawn =
        |name: &String| survey.pictures.contains(name) || survey.redrawn.contains(name);
    about.pictures.retain(|name, _| is_redrawn(name));
    about
}

fn complete_run(
    conn: &Connection,
    from: Format,
    run: RunId,
    about: &About,
) -> rusqlite::Result<usize> {
    match from {
        Format::Wide => Ok(spread(conn, run, about)? + draw(conn, run, about)?),
        _ => show(conn, run, &about.pictures),
    }
}

/// Who wrote a cell, the wide table did not say: whoever writes one later says it.
fn spread(conn: &Connection, run: RunId, about: &About) -> rusqlite::Result<usize> {
    let mut spread = conn.prepare_cached(
        "UPDATE run_variables SET max_diff = ?4
         WHERE proposal = ?1 AND run = ?2 AND name = ?3 AND provenance IS NULL AND max_diff IS NULL",
    )?;
    let mut changed = 0;
    for (name, max_diff) in &about.max_diffs {
        changed += spread.execute(params![run.proposal.0, run.number.0, name, max_diff])?;
    }
    Ok(changed)
}

/// The wide table may have had nothing where the file has a picture.
fn draw(conn: &Connection, run: RunId, about: &About) -> rusqlite::Result<usize> {
    let mut draw = conn.prepare_cached(
        "INSERT INTO run_variables (proposal, run, name, version, value, timestamp, max_diff, provenance, summary_method)
         SELECT r.proposal, r.run, v.name, 1, ?4, ?5, ?6, 'context.py', '' FROM run_info AS r, variables AS v
         WHERE r.proposal = ?1 AND r.run = ?2 AND v.name = ?3
         ON CONFLICT (proposal, run, name, version) DO UPDATE
         SET value = excluded.value, provenance = 'context.py', summary_type = NULL, summary_method = ''
         WHERE value IS NOT excluded.value",
    )?;
    let mut changed = 0;
    for (name, png) in &about.pictures {
        let (modified, max_diff) = (about.modified, about.max_diffs.get(name));
        let (proposal, run) = (run.proposal.0, run.number.0);
        changed += draw.execute(params![proposal, run, name, png, modified, max_diff])?;
    }
    Ok(changed)
}
