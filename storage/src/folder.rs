//! A folder that everybody may write into, opened once: what is done in it is done there, whatever is renamed or
//! linked in its place meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use crate::error::Error;

/// What is said of a file that is none: it may have become one by the next time.
pub(crate) const NO_FILE: &str = "no regular file is there";
const NO_FOLDER: &str = "a symbolic link is there, which could lead anywhere and is not followed";

/// A folder that is open.
#[derive(Debug)]
pub struct Folder {
    opened: File,
    shown: PathBuf,
}

impl Folder {
    /// Opens a folder. A link on the way to it is followed, one in its own place is not.
    ///
    /// # Errors
    /// It is not there, no folder, or a link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        options
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW);
        match options.open(path) {
            Ok(opened) => Ok(Self {
                opened,
                shown: path.into(),
            }),
            Err(_) if path.is_symlink() => Err(io::Error::other(NO_FOLDER)),
            Err(why) => Err(why),
        }
    }

    /// Opens the folder of a file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of(file: &Path) -> io::Result<Self> {
        match file.parent() {
            Some(parent) if parent != "" => Self::open(parent),
            _ => Self::open(Path::new(".")),
        }
    }

    /// Whether this account has made it.
    ///
    /// # Errors
    /// The system's.
    pub fn is_ours(&self) -> io::Result<bool> {
        Ok(self.opened.metadata()?.uid() == nix::unistd::geteuid().as_raw())
    }

    /// A way to the folder that leads nowhere else, for this process and as long as it is open.
    pub fn path(&self) -> PathBuf {
        way_to(self.opened.as_raw_fd())
    }

    /// Such a way to what has this name in it. What that is, is not known: a link, say.
    pub fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// As people know a path in it.
    pub fn shown(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.path()) {
            Ok(name) => self.shown.join(name),
            Err(_) => path.into(),
        }
    }

    /// A text with the paths in it as people know them.
    pub fn words(&self, text: &str) -> String {
        let (way, shown) = (self.at(""), self.shown.join(""));
        text.replace(&*way.to_string_lossy(), &shown.to_string_lossy())
    }

    /// An error about a file in it, with the path that people know.
    pub fn naming(&self, error: Error) -> Error {
        match error {
            Error::File { path, source } => Error::File {
                path: self.shown(&path),
                source,
            },
            Error::Results { path, reason } => Error::Results {
                path: self.shown(&path),
                reason: self.words(&reason),
            },
            Error::DamagedRunFile { path, reason } => Error::DamagedRunFile {
                path: self.shown(&path),
                reason: self.words(&reason),
            },
            other => other,
        }
    }
}

/// A way to an open file.
pub(crate) fn way_to(opened: RawFd) -> PathBuf {
    format!("/proc/self/fd/{opened}").into()
}

/// Opens a regular file for reading: no link, and neither a pipe, which would wait for its other end. One that has
/// other names, too, has to be for everybody: its name here may be by somebody who may not read it.
///
/// # Errors
/// The system's, and that something else is there.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = open_file(File::options().read(true), path)?;
    refuse_private(&file)?;
    Ok(file)
}

/// Refuses what has other names, too, and is not for everybody: its name here may be by somebody who may not open it.
///
/// # Errors
/// It is that, or the system's.
pub(crate) fn refuse_private(file: &File) -> io::Result<()> {
    let about = file.metadata()?;
    match about.nlink() > 1 && about.mode() & 0o004 == 0 {
        true => Err(io::Error::other(
            "it is another name of a file that is not for everybody",
        )),
        false => Ok(()),
    }
}

/// Opens a regular file to change it, which has no other name.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    let file = open_file(File::options().read(true).write(true), path)?;
    match file.metadata()?.nlink() {
        1 => Ok(file),
        _ => Err(io::Error::other("it has other names, too")),
    }
}

/// Opens a regular file as `options` say: no link, and no pipe, which would wait for its other end.
///
/// # Errors
/// The system's, and that something else is there.
pub fn open_file(options: &mut std::fs::OpenOptions, path: &Path) -> io::Result<File> {
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path).map_err(|why| match why.raw_os_error() {
        Some(libc::ELOOP | libc::ENXIO | libc::EISDIR) => io::Error::other(NO_FILE),
        _ => why,
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(NO_FILE)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn an_open_folder_stays_the_same_when_a_link_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (place, elsewhere) = (dir.path().join("place"), dir.path().join("elsewhere"));
        fs::create_dir(&place).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let folder = Folder::open(&place).unwrap();
        fs::rename(&place, dir.path().join("moved")).unwrap();
        symlink(&elsewhere, &place).unwrap();
        fs::write(folder.at("file"), "here").unwrap();
        assert_eq!(fs::read(dir.path().join("moved/file")).unwrap(), b"here");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        assert_eq!(folder.shown(&folder.at("file")), place.join("file"));
        let why = Folder::open(&place).unwrap_err().to_string();
        assert!(why.contains("not followed"), "{why}");
    }

    #[test]
    fn what_is_no_file_of_ones_own_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "").unwrap();
        symlink(path("file"), path("link")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for name in ["link", "folder", "pipe", "socket"] {
            for result in [open_regular(&path(name)), open_own(&path(name))] {
                assert_eq!(result.unwrap_err().to_string(), NO_FILE, "{name}");
            }
        }
        assert!(open_own(&path("file")).is_ok());
        fs::hard_link(path("file"), path("other")).unwrap();
        assert!(open_own(&path("file")).is_err());
        let share = |mode| fs::set_permissions(path("file"), PermissionsExt::from_mode(mode));
        share(0o666).unwrap();
        assert!(open_regular(&path("file")).is_ok());
        share(0o660).unwrap();
        assert!(open_regular(&path("file")).is_err());
    }
}
