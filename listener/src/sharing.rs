//! Several accounts work in one database's folder: what we own there, they may write.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Lets everybody write a file of ours; one that belongs to another account stays as it is.
pub(crate) fn share_file(path: &Path) {
    share(path, 0o666);
}

/// Lets everybody make files in a folder of ours.
pub(crate) fn share_folder(path: &Path) {
    share(path, 0o777);
}

fn share(path: &Path, mode: u32) {
    let Ok(now) = fs::symlink_metadata(path) else {
        return;
    };
    let is_ours = now.uid() == nix::unistd::geteuid().as_raw();
    if is_ours && !now.is_symlink() && now.permissions().mode() & 0o777 != mode {
        // A file system without permissions: then there is nothing to open either.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    }
}
