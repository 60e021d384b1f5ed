//! What stands in the way of a conversion, found out before anything is changed.

use std::io::{self, ErrorKind};
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use runledger_context::run::RunId;
use runledger_migrations::Format;
use rusqlite::Connection;

use super::super::check::twice;
use super::super::looking;
use crate::database::is_writable;
use crate::error::{Error, Result};
use crate::{results_dir, run_file};

/// Whether the database in `dir` could be converted from the format `from`, and the files of these runs with it. Changes
/// nothing.
///
/// # Errors
/// What stands in the way: [`Error::NotOfFormat`], [`Error::RunTwice`], [`Error::DatabaseReadOnly`], [`Error::NoRoom`], ….
pub fn foresee(dir: &Path, from: Format, runs: impl IntoIterator<Item = RunId>) -> Result<()> {
    let (conn, path) = looking(dir)?;
    make_sure(&conn, dir, &path, from)?;
    make_sure_of_room(dir, runs)
}

/// Makes sure that a database has the format `from`, and can be brought to the present one.
pub(super) fn make_sure(conn: &Connection, dir: &Path, path: &Path, from: Format) -> Result<()> {
    let sqlite = |error| Error::sqlite(path, error);
    let found = runledger_migrations::format(conn);
    let found = found.map_err(|error| Error::migration(path, error))?;
    if found != from {
        return Err(Error::NotOfFormat {
            path: path.into(),
            found,
            wanted: from,
        });
    }
    if !is_writable(conn, dir).map_err(sqlite)? {
        return Err(Error::DatabaseReadOnly { path: path.into() });
    }
    if let Some(run) = twice(conn, from).map_err(sqlite)? {
        return Err(Error::RunTwice {
            path: path.into(),
            run,
        });
    }
    results_can_be_written(&results_dir::path(dir))
}

/// That there is no such folder is in nobody's way.
fn results_can_be_written(results: &Path) -> Result<()> {
    let writable = match std::fs::metadata(results) {
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
        Ok(found) if !found.is_dir() => Err(ErrorKind::NotADirectory.into()),
        Ok(_) => access(results, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from),
        Err(why) => Err(why),
    };
    writable.map_err(|source| Error::File {
        path: results.into(),
        source,
    })
}

/// Makes sure that there is room for the new files of these runs, and for a copy of the table, on the disk.
///
/// # Errors
/// [`Error::NoRoom`], with how much there should be.
pub fn make_sure_of_room(dir: &Path, runs: impl IntoIterator<Item = RunId>) -> Result<()> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |about| about.len());
    let files: u64 = runs
        .into_iter()
        .map(|run| size(&run_file::path(dir, run)))
        .sum();
    // The copy, and the journal of the change; a little more, for what files take beside their data.
    let table = size(&dir.join(crate::database::FILE_NAME));
    let needed = (files + 3 * table) / 10 * 11;
    let disk = statvfs(dir).map_err(|error| Error::File {
        path: dir.into(),
        source: error.into(),
    })?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    match free >= needed {
        true => Ok(()),
        false => Err(Error::NoRoom {
            dir: dir.into(),
            needed,
            free,
        }),
    }
}
