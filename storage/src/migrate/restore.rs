//! Going back to a copy of a database that was made before it was upgraded.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use runledger_migrations::{Format, LATEST, backup, draft_beside};
use runledger_steps::{Step, reached};
use rusqlite::OpenFlags;
use rusqlite::backup::{Backup, StepResult};

use crate::database::{FILE_NAME, connect, look_for};
use crate::error::{Error, Result};
use crate::results_dir;
use crate::sharing::share_file;

use super::convert::originals::put_back;

/// How often it is tried whether others have let go of the database.
const PAUSE: Duration = Duration::from_millis(50);

/// A copy of a database beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The file.
    pub path: PathBuf,
    /// The format that it has.
    pub format: Format,
    /// When it was made.
    pub made: SystemTime,
}

/// What became of the database that a copy replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The format that the database has now.
    pub format: Format,
    /// Where the database is kept as it was before.
    pub kept: PathBuf,
    /// How many run files were brought back with it.
    pub files: usize,
}

/// The copies in `dir`, `runs.v3-backup.sqlite` and the like, latest first. Those that are no run tables are left out.
///
/// # Errors
/// [`Error::File`]: the folder cannot be read.
pub fn copies(dir: &Path) -> Result<Vec<Copy>> {
    let failed = |source| Error::File {
        path: dir.into(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_copy(&path)
            && let Ok(copy) = look_at(&path)
        {
            found.push(copy);
        }
    }
    found.sort_by(|a, b| b.made.cmp(&a.made).then_with(|| b.path.cmp(&a.path)));
    Ok(found)
}

fn is_copy(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        name.starts_with("runs.") && name.contains("-backup") && name.ends_with(".sqlite")
    })
}

fn look_at(path: &Path) -> Result<Copy> {
    let sqlite = |error| Error::sqlite(path, error);
    let conn =
        runledger_migrations::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
    let failed = |error| Error::migration(path, error);
    let format = runledger_migrations::format(&conn).map_err(failed)?;
    if format == Format::Foreign {
        return Err(failed(runledger_migrations::Error::NoSteps(format)));
    }
    let damage: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(sqlite)?;
    if damage != "ok" {
        return Err(Error::NotADatabase {
            path: path.into(),
            reason: damage,
        });
    }
    let made = fs::metadata(path).and_then(|of| of.modified());
    let made = made.map_err(|source| Error::File {
        path: path.into(),
        source,
    })?;
    Ok(Copy {
        path: path.into(),
        format,
        made,
    })
}

/// Makes the database in `dir` what `copy` is, waiting at most `patience` for others. The database as it was is kept
/// beside it. Programs that have it open go on with what it is then. With a format of before the steps, run files that
/// were converted come back as well; those that replaced them are kept in `extracted_data/v4-backup/`, and come back with a
/// copy of the present format.
///
/// # Errors
/// [`Error::NotADatabase`] if the copy is none, [`Error::DatabaseBusy`], [`Error::DatabaseReadOnly`], ….
pub fn restore(dir: &Path, copy: &Path, patience: Duration) -> Result<Restored> {
    let format = look_at(copy)?.format;
    let path = dir.join(FILE_NAME);
    let mut was = Format::Numbered(LATEST);
    let kept = match look_for(dir, &path).and_then(|()| look_at(&path)) {
        Ok(now) => {
            was = now.format;
            let kept = keep(&path, was)?;
            overwrite(&path, copy, patience)?;
            kept
        }
        Err(Error::NotADatabase { .. } | Error::WrongVersion { .. } | Error::NoDatabase { .. }) => {
            replace(&path, copy)?
        }
        Err(other) => return Err(other),
    };
    let latest = Format::Numbered(LATEST);
    let files = match (was, format) {
        (_, Format::Wide | Format::Intermediate) => put_back(dir, format, latest),
        // Going back was a mistake: the files of then belong to the table of then.
        (Format::Wide | Format::Intermediate, _) => put_back(dir, latest, was),
        _ => Ok(0),
    };
    let files = files.map_err(|source| Error::File {
        path: results_dir::path(dir),
        source,
    })?;
    Ok(Restored {
        format,
        kept,
        files,
    })
}

fn keep(path: &Path, format: Format) -> Result<PathBuf> {
    let to = path.with_extension(format!("{}-backup.sqlite", format.in_file_names()));
    backup(path, &to).map_err(|error| Error::migration(path, error))
}

/// Through SQLite, so that programs that have the database open see the change.
fn overwrite(path: &Path, copy: &Path, patience: Duration) -> Result<()> {
    let sqlite = |error| Error::sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let from =
        runledger_migrations::connect(copy, flags).map_err(|error| Error::sqlite(copy, error))?;
    let mut to = connect(path, Duration::ZERO).map_err(sqlite)?;
    let until = Instant::now() + patience;
    let all = Backup::new(&from, &mut to).map_err(sqlite)?;
    loop {
        match all.step(-1).map_err(sqlite)? {
            StepResult::Done => {
                reached(Step::CopyCopied);
                return Ok(());
            }
            _ if Instant::now() > until => return Err(busy(path)),
            _ => std::thread::sleep(PAUSE),
        }
    }
}

fn busy(path: &Path) -> Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    Error::sqlite(path, rusqlite::Error::SqliteFailure(code, None))
}

/// What is there is no database that could be opened: it goes aside whole, with the log that belongs to it.
fn replace(path: &Path, copy: &Path) -> Result<PathBuf> {
    let file = |source| Error::File {
        path: path.into(),
        source,
    };
    let draft = draft_beside(path).map_err(file)?;
    fs::copy(copy, &draft)
        .and_then(|_| fs::File::open(&draft)?.sync_all())
        .map_err(file)?;
    let kept = aside(path);
    for end in ["-wal", "-shm", "-journal", ""] {
        match fs::rename(with_end(path, end), with_end(&kept, end)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file(error)),
            _ => {}
        }
    }
    reached(Step::DamagedAside);
    draft.persist(path).map_err(|refused| file(refused.error))?;
    reached(Step::CopyNamed);
    share_file(path)
        .and_then(|()| results_dir::sync_folder_of(path))
        .map_err(file)?;
    Ok(kept)
}

/// A name beside `path` that is free.
fn aside(path: &Path) -> PathBuf {
    let mut names =
        (1..).map(|number: u32| path.with_extension(format!("damaged-{number}.sqlite")));
    names
        .find(|name| !name.exists())
        .expect("numbers do not end")
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
