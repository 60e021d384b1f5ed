//! The folder `extracted_data` of a database: its files' names, and making changes in it last.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use runledger_context::run::RunId;
use runledger_steps::{Step, reached};

use crate::error::{Error, Result};
use crate::folder::{Folder, open_regular};
use crate::sharing;

/// The folder of results in a database's folder.
pub(crate) fn path(database_dir: &Path) -> PathBuf {
    database_dir.join("extracted_data")
}

/// The folder, made where it is missing, for everybody.
pub(crate) fn made(database_dir: &Path) -> Result<Folder> {
    let dir = path(database_dir);
    fs::create_dir_all(&dir)
        .and_then(|()| sharing::share_folder(&dir))
        .and_then(|()| Folder::open(&dir))
        .map_err(|source| Error::File { path: dir, source })
}

/// The folder.
pub(crate) fn open(database_dir: &Path) -> Result<Folder> {
    let dir = path(database_dir);
    Folder::open(&dir).map_err(|source| Error::File { path: dir, source })
}

/// Does something with a file of the folder, by a path that leads nowhere else; errors name the file as it was named.
pub(crate) fn with_file<T>(file: &Path, act: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let folder = Folder::of(file).map_err(|source| Error::File {
        path: file.into(),
        source,
    })?;
    let name = file.file_name().unwrap_or_default();
    act(&folder.at(name)).map_err(|error| folder.naming(error))
}

/// How all files of a run begin.
pub(crate) fn stem(run: RunId) -> String {
    format!("p{}_r{}", run.proposal.0, run.number.0)
}

/// Puts a complete file in its place, for everybody and for good: it is there after a power cut, or the old one is.
pub(crate) fn settle(draft: &Path, place: &Path) -> Result<()> {
    let lasting = || -> io::Result<()> {
        open_regular(draft)?.sync_all()?;
        sharing::share_file(draft)?;
        reached(Step::FileSynced);
        fs::rename(draft, place)?;
        reached(Step::FileRenamed);
        sync_folder_of(place)
    };
    lasting().map_err(|source| Error::File {
        path: place.into(),
        source,
    })
}

/// As [`settle`], but never in the place of a file that another program put there meanwhile.
pub(crate) fn settle_new(draft: &Path, place: &Path) -> Result<()> {
    let lasting = || -> io::Result<()> {
        open_regular(draft)?.sync_all()?;
        sharing::share_file(draft)?;
        fs::hard_link(draft, place)?;
        reached(Step::DraftLinked);
        fs::remove_file(draft)?;
        reached(Step::DraftUnlinked);
        sync_folder_of(place)
    };
    lasting().map_err(|source| Error::File {
        path: place.into(),
        source,
    })
}

/// Copies a file byte by byte: the system's own copy may let both share what is on the disk, or is not.
pub(crate) fn copy(from: &mut File, to: &mut File) -> io::Result<()> {
    let mut bytes = vec![0; 1 << 20];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&bytes[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes what was made, renamed or removed in a file's folder last.
pub(crate) fn sync_folder_of(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
