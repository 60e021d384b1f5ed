//! Making a run table where there was none.

use std::io::ErrorKind;
use std::path::Path;

use runledger_context::run::Proposal;
use runledger_steps::{Step, reached};
use rusqlite::{OpenFlags, Transaction, params};

use super::{Database, FILE_NAME};
use crate::error::{Error, Result};
use crate::results_dir;
use crate::sharing::{share_file, share_folder};

/// How many jobs of one reprocessing run at a time, unless the users set it otherwise.
const CONCURRENT_JOBS: u32 = 15;

impl Database {
    /// Makes the folder `dir` if need be, and in it a run table of the latest format for `proposal`, usable by everybody who
    /// can use the folder: one that is there already stays as open as it is.
    ///
    /// The file appears complete or not at all.
    ///
    /// # Errors
    /// [`Error::DatabaseExists`] if there is one, which is left alone; [`Error::File`], [`Error::DatabaseFull`], ….
    pub fn create(dir: &Path, proposal: Proposal) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        if path.symlink_metadata().is_ok() {
            return Err(Error::DatabaseExists { path });
        }
        make_folder(dir)?;
        publish(dir, &path, proposal)?;
        Self::open(dir)
    }
}

fn make_folder(dir: &Path) -> Result<()> {
    let above = dir.parent().unwrap_or(Path::new("/"));
    let made = std::fs::create_dir_all(above).and_then(|()| std::fs::create_dir(dir));
    match made {
        Ok(()) => share_folder(dir),
        Err(why) if why.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(why) => Err(why),
    }
    .map_err(|source| Error::File {
        path: dir.into(),
        source,
    })
}

/// Fills a draft beside `path` and gives it its name last.
fn publish(dir: &Path, path: &Path, proposal: Proposal) -> Result<()> {
    let file = |source| Error::File {
        path: path.into(),
        source,
    };
    // The file handle is given up at once: closing it later would drop SQLite's locks on the file.
    let draft = tempfile::Builder::new()
        .prefix(".runs-")
        .suffix(".sqlite")
        .tempfile_in(dir)
        .map_err(file)?
        .into_temp_path();
    fill(&draft, path, proposal)?;
    share_file(&draft).map_err(file)?;
    reached(Step::TableDrafted);
    match draft.persist_noclobber(path) {
        Ok(()) => {
            reached(Step::TableNamed);
            results_dir::sync_folder_of(path).map_err(file)
        }
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
            Err(Error::DatabaseExists { path: path.into() })
        }
        Err(refused) => Err(file(refused.error)),
    }
}

/// Errors name `path`, which the draft is to become.
fn fill(draft: &Path, path: &Path, proposal: Proposal) -> Result<()> {
    let sqlite = |error| Error::sqlite(path, error);
    let mut conn = runledger_migrations::connect(draft, OpenFlags::default()).map_err(sqlite)?;
    runledger_migrations::create(&mut conn).map_err(|error| Error::migration(path, error))?;
    let transaction = conn.transaction().map_err(sqlite)?;
    first_settings(&transaction, proposal).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}

fn first_settings(transaction: &Transaction<'_>, proposal: Proposal) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO metameta (key, value) VALUES
             ('proposal', ?1), ('concurrent_jobs', ?2), ('db_id', lower(hex(randomblob(20))))",
        params![proposal.0, CONCURRENT_JOBS],
    )?;
    Ok(())
}
