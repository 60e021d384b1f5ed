//! A copy of a database as it was, before it is changed for good.

use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_steps::{Step, reached};
use rusqlite::OpenFlags;
use rusqlite::backup::{Backup, StepResult};
use tempfile::TempPath;

use crate::error::{Error, Result};
use crate::opening::connect;

/// How long another program may keep the database to itself before the copy is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the copy of `database` goes that is made before it leaves `version`:
/// `runs.sqlite` → `runs.v3-backup.sqlite`, in the same folder.
pub fn backup_path(database: &Path, version: u32) -> PathBuf {
    database.with_extension(format!("v{version}-backup.sqlite"))
}

/// Where a copy goes that is to be at `to`: there, or where the first number is free (`runs.v3-backup-2.sqlite`).
pub fn free_path(to: &Path) -> PathBuf {
    let numbered = (2..).map(|number| numbered(to, number));
    let mut places = std::iter::once(to.to_path_buf()).chain(numbered);
    let is_free = |place: &PathBuf| place.symlink_metadata().is_err();
    places.find(is_free).expect("numbers do not end")
}

/// Copies `database` with SQLite's own backup, so that a copy taken while others read and write is whole.
///
/// The copy appears at `to` complete or not at all. An older copy is never replaced: the new one gets
/// a number (`runs.v3-backup-2.sqlite`). Returns where it is.
///
/// # Errors
/// [`Error::Backup`] with the reason.
pub fn backup(database: &Path, to: &Path) -> Result<PathBuf> {
    let failed = |reason: String| Error::Backup {
        path: to.into(),
        reason,
    };
    let draft = draft_beside(to).map_err(|error| failed(error.to_string()))?;
    copy(database, &draft).map_err(|error| failed(error.to_string()))?;
    reached(Step::BackupCopied);
    let kept = std::fs::metadata(database)
        .and_then(|of| std::fs::set_permissions(&draft, of.permissions()))
        .and_then(|()| keep(draft, to))
        .map_err(|error| failed(error.to_string()))?;
    reached(Step::BackupMade);
    Ok(kept)
}

fn copy(database: &Path, draft: &Path) -> rusqlite::Result<()> {
    let from = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    from.busy_timeout(PATIENCE)?;
    let mut to = connect(draft, OpenFlags::default())?;
    let copied = Backup::new(&from, &mut to)?.step(-1)?;
    match copied {
        // It is one file, also if the database has a write-ahead log: whoever looks at it leaves nothing beside it.
        StepResult::Done | StepResult::More => {
            to.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        }
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            None,
        )),
    }
}

/// An empty draft of a copy that is to be at `to`, for nobody else yet. Always of the same name, so that what an
/// interrupted one left goes with the next one.
///
/// # Errors
/// The system's.
pub fn draft_beside(to: &Path) -> std::io::Result<TempPath> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let draft = to.with_file_name(format!(".{name}.draft"));
    if draft.symlink_metadata().is_ok() {
        std::fs::remove_file(&draft)?;
    }
    let mut options = std::fs::File::options();
    // Until it has the permissions of the database.
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    TempPath::try_from_path(draft)
}

fn keep(mut draft: TempPath, to: &Path) -> std::io::Result<PathBuf> {
    let mut kept = to.to_path_buf();
    for number in 2.. {
        match draft.persist_noclobber(&kept) {
            Ok(()) => break,
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
                draft = refused.path;
                kept = numbered(to, number);
            }
            Err(refused) => return Err(refused.error),
        }
    }
    // The original is changed next: its copy has to be found after a power cut.
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(kept)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.sqlite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(folder: &Path) -> PathBuf {
        let path = folder.join("runs.sqlite");
        let conn = connect(&path, OpenFlags::default()).unwrap();
        conn.execute_batch("CREATE TABLE metameta (key, value); INSERT INTO metameta VALUES ('data_format_version', 3)")
            .unwrap();
        path
    }

    #[test]
    fn a_copy_never_replaces_an_older_one_and_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path());
        let to = backup_path(&path, 3);
        for name in ["runs.v3-backup.sqlite", "runs.v3-backup-2.sqlite"] {
            let foreseen = free_path(&to);
            assert_eq!(foreseen, folder.path().join(name));
            assert_eq!(backup(&path, &to).unwrap(), foreseen);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_copy_can_be_made_while_another_connection_holds_the_write_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path());
        let writer = connect(&path, OpenFlags::default()).unwrap();
        writer
            .execute_batch("BEGIN IMMEDIATE; DELETE FROM metameta")
            .unwrap();
        let copy = backup(&path, &backup_path(&path, 3)).unwrap();
        let copy = connect(&copy, OpenFlags::default()).unwrap();
        assert_eq!(crate::version(&copy).unwrap(), 3);
    }
}
