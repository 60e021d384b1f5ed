//! One listener a database: two that were started by mistake must not both hand its runs on.
//!
//! The lock is on a file in the database's folder and ends with the process, however it ends. Messages in the file
//! only tell people whose it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use runledger_storage::sharing;
use tracing::debug;

use crate::queue::submitter;
use crate::{Error, Result};

/// The file in a database's folder.
const FILE_NAME: &str = ".listener-watches.lock";

/// So many databases are kept at once; then the one that has had no run for longest is let go. What is in its ledger
/// keeps its runs from being done twice.
const AT_MOST: usize = 400;

/// The databases that this listener keeps for itself.
#[derive(Debug)]
pub(crate) struct WatchLocks {
    held: BTreeMap<PathBuf, Held>,
    at_most: usize,
    /// Counts up with every use.
    clock: u64,
    /// Who we are, for the other one's message.
    who: String,
}

#[derive(Debug)]
struct Held {
    /// Locked for as long as it is open.
    _file: Option<File>,
    used: u64,
}

impl WatchLocks {
    /// For the listener in `folder`.
    pub(crate) fn of(folder: &Path) -> Self {
        let (id, submitter) = (std::process::id(), submitter());
        Self {
            held: BTreeMap::new(),
            at_most: AT_MOST,
            clock: 0,
            who: format!("process {id} of {submitter} in {}", folder.display()),
        }
    }

    /// Keeps a database for this listener.
    ///
    /// # Errors
    /// [`Error::Watched`], naming the other one.
    pub(crate) fn take(&mut self, folder: &Path) -> Result<()> {
        self.clock += 1;
        if let Some(held) = self.held.get_mut(folder) {
            held.used = self.clock;
            return Ok(());
        }
        let file = lock(folder, &self.who)?;
        let used = self.clock;
        let held = Held { _file: file, used };
        self.held.insert(folder.to_path_buf(), held);
        self.let_the_oldest_go();
        Ok(())
    }

    fn let_the_oldest_go(&mut self) {
        if self.held.len() > self.at_most {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.used);
            let oldest = oldest.map(|(folder, _)| folder.clone());
            oldest.and_then(|folder| self.held.remove(&folder));
        }
    }
}

/// The locked file; None where this file system has no locks.
fn lock(folder: &Path, who: &str) -> Result<Option<File>> {
    let path = folder.join(FILE_NAME);
    let failed = |error: std::io::Error| Error::WatchLock {
        path: path.clone(),
        reason: error.to_string(),
    };
    let mut file = open(&path).map_err(failed)?;
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&WHOLE_FILE)) {
        Ok(_) => {}
        Err(Errno::EAGAIN | Errno::EACCES) => return Err(watched(folder, file)),
        Err(error @ (Errno::EINVAL | Errno::ENOLCK | Errno::EOPNOTSUPP)) => {
            debug!(folder = %folder.display(), "a second listener would not be noticed here: {error}");
            return Ok(None);
        }
        Err(error) => return Err(failed(error.into())),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{who}"))
        .map_err(failed)?;
    Ok(Some(file))
}

const WHOLE_FILE: libc::flock = libc::flock {
    l_type: libc::F_WRLCK as libc::c_short,
    l_whence: libc::SEEK_SET as libc::c_short,
    l_start: 0,
    l_len: 0,
    l_pid: 0,
};

/// Everybody may write into the folder: a link there could lead to any file of ours.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    match sharing::share_file(path) {
        // Removed by somebody in this moment: the lock is as good.
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(file),
    }
}

fn watched(folder: &Path, mut file: File) -> Error {
    let mut by = String::new();
    // Who it is can be missing: the file is written after it is locked.
    let _ = file.read_to_string(&mut by);
    Error::Watched {
        folder: folder.into(),
        by: by.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_listener_names_the_first_until_that_one_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = WatchLocks::of(Path::new("/first"));
        let mut second = WatchLocks::of(Path::new("/second"));
        first.take(folder.path()).unwrap();
        first.take(folder.path()).unwrap();
        let refused = second.take(folder.path()).unwrap_err();
        let named = format!("process {}", std::process::id());
        assert!(matches!(refused, Error::Watched { .. }), "{refused}");
        let text = refused.to_string();
        assert!(text.contains(&named) && text.contains("/first"), "{text}");
        drop(first);
        second.take(folder.path()).unwrap();
    }

    #[test]
    fn of_many_databases_the_one_that_had_no_run_for_longest_is_let_go() {
        let root = tempfile::tempdir().unwrap();
        let dirs = ["a", "b", "c"].map(|name| root.path().join(name));
        dirs.iter()
            .for_each(|dir| std::fs::create_dir(dir).unwrap());
        let mut first = WatchLocks::of(Path::new("/first"));
        first.at_most = 2;
        for dir in [&dirs[0], &dirs[1], &dirs[0], &dirs[2]] {
            first.take(dir).unwrap();
        }
        let mut second = WatchLocks::of(Path::new("/second"));
        let taken = dirs.each_ref().map(|dir| second.take(dir).is_ok());
        assert_eq!(taken, [false, true, false]);
    }
}
