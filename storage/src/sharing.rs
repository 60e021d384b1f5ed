//! Files and folders that several accounts use: readable and writable for all, whatever the umask is.
//!
//! Modes are set on what was made, so that the process's umask, which other threads share, stays as it is.
//! What belongs to somebody else stays as that somebody left it.

use std::fs::{Permissions, set_permissions, symlink_metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

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

fn widen(path: &Path, wanted: u32) -> io::Result<()> {
    // A link could lead to a file that was never meant to be shared.
    let found = symlink_metadata(path)?;
    let mode = found.mode() & 0o7777;
    let ours = found.uid() == nix::unistd::geteuid().as_raw();
    if !ours || found.is_symlink() || mode & OWNER_WRITES == 0 || mode & wanted == wanted {
        return Ok(());
    }
    set_permissions(path, Permissions::from_mode(mode | wanted))
}
