//! File systems that are mounted for a test, and gone with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Finished;
use crate::real_part::missing;

/// A mounted file system, gone with this value.
pub struct Mount(PathBuf);

impl Mount {
    /// A disk of this size (`2m`); None where this user may not mount.
    pub fn small(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=0777");
        Self::of(at, &["-t", "tmpfs", "-o", &options, "tmpfs"])
    }

    /// A folder that nobody can write into, with what is in it; None where this user may not mount.
    pub fn read_only(at: &Path) -> Option<Self> {
        let folder = at.to_str().expect("a path in UTF-8");
        let mount = Self::of(at, &["--bind", folder])?;
        mount.again("bind,ro");
        Some(mount)
    }

    fn of(at: &Path, arguments: &[&str]) -> Option<Self> {
        let mounted = Finished::of(Command::new("mount").args(arguments).arg(at));
        let is_mounted = mounted.code == Some(0) || missing("this user may not mount");
        is_mounted.then(|| Self(at.to_path_buf()))
    }

    fn again(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount.arg("-o").arg(format!("remount,{options}"));
        Finished::of(mount.arg(&self.0)).succeeded();
    }

    /// The disk is as large as this now.
    ///
    /// # Panics
    /// It cannot be.
    pub fn resize(&self, size: &str) {
        self.again(&format!("size={size}"));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
