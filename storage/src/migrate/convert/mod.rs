//! From the formats of before the steps to the present one: run files first, then the table, in one transaction.
//!
//! Whatever interrupts it: run files are old or new, and the table has the old format until it has the present one. Done
//! again, it goes on with what is left.

mod dimensions;
mod loose;
mod obstacles;
pub(super) mod originals;
mod pictures;
mod rewriting;
mod stragglers;
mod survey;
mod table;

use std::path::{Path, PathBuf};

use runledger_context::run::RunId;
use runledger_migrations::Format;
use runledger_steps::{Step, reached};

use super::files::run_files;
use crate::error::{Error, Result};
use crate::{hdf5, run_file};

pub use obstacles::{foresee, make_sure_of_room};
pub use stragglers::{came_from, complete};
pub use survey::Survey;
pub use table::{Conversion, Converted};

/// The runs that have a file in the database's folder.
///
/// # Errors
/// [`Error::File`].
pub fn runs_with_files(dir: &Path) -> Result<Vec<RunId>> {
    let files = run_files(dir)?;
    Ok(files.into_iter().map(|(run, _)| run).collect())
}

/// Whether a run's file can be read, and what there still is to change in it if the database came from the format `from`
/// and it was left then. Changes nothing.
///
/// # Errors
/// [`Error::Results`], [`Error::File`]: it cannot be read.
pub fn check_run_file(dir: &Path, run: RunId, from: Format) -> Result<Survey> {
    let path = run_file::path(dir, run);
    let failed = |reason| Error::results(&path, reason);
    make_sure_of_a_file(&path)?;
    hdf5::try_reading(&path).map_err(failed)?;
    let is_done = originals::is_replaced(&path, &originals::original(dir, from, &path));
    match from {
        Format::Wide | Format::Intermediate if !is_done => {
            survey::survey(&path, from).map_err(failed)
        }
        _ => Ok(Survey::default()),
    }
}

/// To open a pipe would be to wait for somebody who writes into it, and a link may lead to anybody's file.
fn make_sure_of_a_file(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(Error::results(path, "it is no file".into())),
        Err(source) => Err(Error::File {
            path: path.into(),
            source,
        }),
    }
}

/// What there is to change in a run's file of a database of format `from`. Changes nothing.
///
/// # Errors
/// [`Error::Results`], [`Error::File`]: it cannot be read.
pub fn survey_run_file(dir: &Path, run: RunId, from: Format) -> Result<Survey> {
    let path = run_file::path(dir, run);
    make_sure_of_a_file(&path)?;
    let failed = |reason| Error::results(&path, reason);
    let mut found = survey::survey(&path, from).map_err(failed)?;
    let original = originals::original(dir, from, &path);
    if originals::is_replaced(&path, &original) {
        // What it said of its cells is in the original only.
        let past = survey::survey(&original, from).map_err(failed)?;
        (found.max_diffs, found.redrawn) = (past.max_diffs, past.pictures);
    }
    Ok(found)
}

/// Makes of a run's file one of the present format. The old one is kept in `extracted_data/v0-backup/` or the like.
/// Returns what was changed.
///
/// # Errors
/// [`Error::Results`], [`Error::File`], [`Error::RunFileBusy`]; the run's file is as it was then.
pub fn convert_run_file(dir: &Path, run: RunId, from: Format) -> Result<Survey> {
    let _lock = run_file::lock(dir, run)?;
    let found = survey_run_file(dir, run, from)?;
    if !found.changes() {
        return Ok(found);
    }
    let path = run_file::path(dir, run);
    let draft = draft_of(&path);
    let original = originals::original(dir, from, &path);
    let rewritten = rewriting::rewrite(&path, &draft, &found)
        .map_err(|reason| Error::results(&path, reason))
        .and_then(|()| {
            reached(Step::RunFileRewritten);
            originals::replace(&path, &draft, &original).map_err(|source| Error::File {
                path: path.clone(),
                source,
            })
        });
    if rewritten.is_err() {
        // What is left of it says nothing that the error does not say.
        let _ = std::fs::remove_file(&draft);
    }
    rewritten.map(|()| found)
}

/// Removes what a process left that died while it converted a run's file. It says nothing that the file does not say.
pub fn forget_draft(dir: &Path, run: RunId) {
    let _ = std::fs::remove_file(draft_of(&run_file::path(dir, run)));
}

fn draft_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.converting"))
}
