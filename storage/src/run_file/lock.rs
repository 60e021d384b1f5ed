//! The right to merge into a run's file.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use runledger_context::run::RunId;

use crate::error::{Error, Result};
use crate::{results_dir, sharing};

/// How long another merge of the same run may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The right to merge into a run's file, until it is dropped.
pub struct Lock {
    _file: fs::File,
}

/// Takes the right to merge into a run's file, from all processes on this file system. It is a lock on one byte
/// of `extracted_data/.merging`: the system gives it back when the process ends, however that happens.
///
/// # Errors
/// [`Error::RunFileBusy`] if another process has it for long; [`Error::File`].
pub fn lock(database_dir: &Path, run: RunId) -> Result<Lock> {
    let folder = results_dir::made(database_dir)?;
    let mut options = fs::File::options();
    options.create(true).truncate(false).write(true);
    let file =
        sharing::open(&mut options, &folder.at(".merging")).map_err(|source| Error::File {
            path: results_dir::path(database_dir).join(".merging"),
            source,
        })?;
    let until = Instant::now() + PATIENCE;
    while fcntl(&file, FcntlArg::F_OFD_SETLK(&byte_of(run))).is_err() {
        if Instant::now() > until {
            return Err(Error::RunFileBusy {
                path: super::path(database_dir, run),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Lock { _file: file })
}

/// The byte that stands for a run.
fn byte_of(run: RunId) -> libc::flock {
    let proposal = i64::from(run.proposal.0 & (u32::MAX >> 1));
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: proposal << 32 | i64::from(run.number.0),
        l_len: 1,
        l_pid: 0,
    }
}
