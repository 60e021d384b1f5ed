//! A disk that refuses what the programs under test ask of it: for as long as a test wants it, on the files that it names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Finished;
use crate::real_part::needs;

/// A library that is loaded into programs under test, before their own (`tests/faulty_disk/faulty_disk.c`).
pub struct FaultyDisk(tempfile::TempDir);

impl FaultyDisk {
    /// One without faults; None where it cannot be compiled.
    ///
    /// # Panics
    /// The compiler refuses it.
    pub fn new() -> Option<Self> {
        if !needs("cc", "gcc") {
            return None;
        }
        let disk = Self(tempfile::tempdir().expect("a temporary folder"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faulty_disk/faulty_disk.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]);
        Finished::of(compile.arg(disk.library()).arg(source).arg("-ldl")).succeeded();
        Some(disk)
    }

    fn library(&self) -> PathBuf {
        self.0.path().join("faulty_disk.so")
    }

    /// Lets a program, and what that starts, have its files on this disk.
    pub fn under<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", self.library())
            .env("FAULTY_DISK", self.0.path())
    }

    /// From now on these are the faults, and no others: `CALL WHAT TIMES PART`, as in `sync EIO 0 .sqlite`.
    ///
    /// # Panics
    /// They cannot be written down.
    pub fn begin(&self, faults: &[&str]) {
        let (draft, place) = (self.0.path().join("draft"), self.0.path().join("faults"));
        let _ = fs::remove_file(self.0.path().join("met"));
        fs::write(&draft, faults.join("\n")).expect("the faults");
        // The programs find the old ones or the new ones.
        fs::rename(draft, place).expect("the faults in their place");
    }

    /// The disk is well again.
    pub fn end(&self) {
        let met = self.met();
        self.begin(&[]);
        fs::write(self.0.path().join("met"), met.join("\n")).expect("what was met");
    }

    /// Which calls on which files have met a fault since the faults began.
    pub fn met(&self) -> Vec<String> {
        let met = fs::read_to_string(self.0.path().join("met")).unwrap_or_default();
        met.lines().map(str::to_owned).collect()
    }
}
