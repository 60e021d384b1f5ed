//! Files and folders that several accounts use: readable and writable for all, whatever the umask is.
//!
//! Modes are set on what was made, so that the process's umask, which other threads share, stays as it is.
//! What belongs to somebody else stays as that somebody left it. Everybody may put links into such folders, which could
//! lead to any file of ours: none is followed.

use std::fs::{File, OpenOptions, Permissions, set_permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::libc;

use crate::folder::{open_file, refuse_private, way_to};

/// Everybody reads and writes.
const FILE: u32 = 0o666;
/// Everybody lists and makes files.
const FOLDER: u32 = 0o777;
const OWNER_WRITES: u32 = 0o200;

/// Lets everybody read and write a file of ours. One that its owner made read-only stays so.
///
/// # Errors
/// The file is not there, or its file system refuses.
pub fn share_file(path: &Path) -> io::Result<()> {
    widen(path, FILE)
}

/// Lets everybody use a folder of ours. One that its owner made read-only stays so.
///
/// # Errors
/// The folder is not there, or its file system refuses.
pub fn share_folder(path: &Path) -> io::Result<()> {
    widen(path, FOLDER)
}

/// Opens a file of such a folder as `options` say, and lets everybody use it. A link in its place is not followed, and
/// a pipe not waited for.
///
/// # Errors
/// It cannot be opened, is no regular file, or another name of one that is not for everybody.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = open_file(options, path)?;
    refuse_private(&file)?;
    widen_opened(&file, FILE)?;
    Ok(file)
}

fn widen(path: &Path, wanted: u32) -> io::Result<()> {
    let mut options = File::options();
    // Without the right to read or write it, and without waiting for a pipe's other end.
    options
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW);
    widen_opened(&options.open(path)?, wanted)
}

/// What was opened stays what it is, whatever gets its name meanwhile.
fn widen_opened(file: &File, wanted: u32) -> io::Result<()> {
    let found = file.metadata()?;
    let mode = found.mode() & 0o7777;
    let ours = found.uid() == nix::unistd::geteuid().as_raw();
    let is_elsewhere = found.is_symlink() || found.is_file() && found.nlink() > 1;
    if !ours || is_elsewhere || mode & OWNER_WRITES == 0 || mode & wanted == wanted {
        return Ok(());
    }
    set_permissions(
        way_to(file.as_raw_fd()),
        Permissions::from_mode(mode | wanted),
    )
}
