//! One combiner at work in a database's folder: a second one waits for its turn, and can say for whom.
//!
//! It is a lock of the operating system on a file: it ends with the process that has it, also when that is killed or
//! its host is restarted, and network file systems pass it on to other hosts. So no lock is ever left behind; what
//! the file says is for people.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use runledger_storage::sharing;
use tracing::warn;

use crate::queue::submitter;
use crate::{Error, Result};

/// The file in a database's folder.
const FILE_NAME: &str = ".combiner.lock";
/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_millis(50);

const WHOLE_FILE: libc::flock = libc::flock {
    l_type: libc::F_WRLCK as libc::c_short,
    l_whence: libc::SEEK_SET as libc::c_short,
    l_start: 0,
    l_len: 0,
    l_pid: 0,
};

/// The right to combine what is in a folder, until it is dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes it, if it is free within `patience`.
    ///
    /// # Errors
    /// [`Error::Combining`], naming the other one; [`Error::CombinerLock`].
    pub(super) fn take(folder: &Path, patience: Duration) -> Result<Self> {
        let until = Instant::now() + patience;
        loop {
            match Self::try_take(folder) {
                Err(Error::Combining { .. }) if Instant::now() < until => std::thread::sleep(LOOK),
                taken => return taken,
            }
        }
    }

    fn try_take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let failed = |error: std::io::Error| Error::CombinerLock {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut file = open(&path).map_err(failed)?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&WHOLE_FILE)) {
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EACCES) => return Err(busy(folder, file)),
            // Each run's file has a lock of its own, which says so as well.
            Err(error @ (Errno::EINVAL | Errno::ENOLCK | Errno::EOPNOTSUPP)) => {
                warn!(folder = %folder.display(), "a second combiner would not be noticed here: {error}");
                return Ok(Self { _file: file });
            }
            Err(error) => return Err(failed(error.into())),
        }
        sign(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Everybody may write into the folder: a link there could lead to any file of ours.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    sharing::open(&mut options, path)
}

/// Only where it says something else: a lock is taken often.
fn sign(file: &mut File) -> std::io::Result<()> {
    let who = format!("process {} of {}\n", std::process::id(), submitter());
    let mut written = String::new();
    if file.read_to_string(&mut written).is_ok() && written == who {
        return Ok(());
    }
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(who.as_bytes())
}

fn busy(folder: &Path, mut file: File) -> Error {
    let mut by = String::new();
    // Who it is can be missing: the file is written after it is locked.
    let _ = file.read_to_string(&mut by);
    Error::Combining {
        folder: folder.into(),
        by: by.trim().to_owned(),
    }
}

/// The locks of one combiner, which may be at work in a folder more than once at a time.
#[derive(Debug, Default)]
pub(super) struct FolderLocks {
    known: Mutex<HashMap<PathBuf, Arc<Mutex<Weak<FolderLock>>>>>,
}

impl FolderLocks {
    /// The folder's lock: the one that this combiner has, or a new one.
    ///
    /// # Errors
    /// As for [`FolderLock::take`], without waiting.
    pub(super) fn take(&self, folder: &Path) -> Result<Arc<FolderLock>> {
        // Not held while a file system may be slow: other folders' locks are asked for meanwhile.
        let place = lock(&self.known)
            .entry(folder.to_path_buf())
            .or_default()
            .clone();
        let mut place = lock(&place);
        if let Some(held) = place.upgrade() {
            return Ok(held);
        }
        let taken = Arc::new(FolderLock::try_take(folder)?);
        *place = Arc::downgrade(&taken);
        Ok(taken)
    }
}

/// What is behind it is sound also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_combiner_names_the_first_until_that_one_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLocks::default();
        let (one, again) = (
            first.take(folder.path()).unwrap(),
            first.take(folder.path()).unwrap(),
        );
        drop(one);
        let refused = FolderLock::take(folder.path(), Duration::ZERO).unwrap_err();
        let (text, pid) = (refused.to_string(), std::process::id());
        assert!(text.contains(&format!("process {pid} of")), "{text}");
        assert!(text.contains(&crate::queue::host_name()), "{text}");
        drop(again);
        FolderLock::take(folder.path(), Duration::ZERO).unwrap();
        first.take(folder.path()).unwrap();
    }

    #[test]
    fn what_an_ended_combiner_wrote_keeps_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        std::fs::write(&file, "process 1 of somebody@another-host, long ago\n").unwrap();
        let _taken = FolderLock::take(folder.path(), Duration::ZERO).unwrap();
        let says = std::fs::read_to_string(&file).unwrap();
        assert!(
            says.starts_with("process ") && !says.contains("long ago"),
            "{says}"
        );
    }

    #[test]
    fn a_lock_that_is_a_link_is_not_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let precious = elsewhere.path().join("precious");
        std::fs::write(&precious, "as it was").unwrap();
        std::os::unix::fs::symlink(&precious, folder.path().join(FILE_NAME)).unwrap();
        assert!(FolderLock::take(folder.path(), Duration::ZERO).is_err());
        assert_eq!(std::fs::read_to_string(precious).unwrap(), "as it was");
    }
}
