//! A disk that refuses what the programs under test ask of it: for as long as a test wants it, on the files that it names.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::preload::preload;

/// A library that is loaded into programs under test (`tests/preload/faulty_disk.c`), and the folder with its faults.
pub struct FaultyDisk {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl FaultyDisk {
    /// One without faults; None where it cannot be compiled.
    ///
    /// # Panics
    /// The compiler refuses it.
    pub fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = preload("faulty_disk", folder.path())?;
        Some(Self { folder, library })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets a program, and what that starts, have its files on this disk.
    pub fn under<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAULTY_DISK", self.folder.path())
    }

    /// From now on these are the faults, and no others: `CALL WHAT TIMES PART`, as in `sync EIO 0 .sqlite`.
    ///
    /// # Panics
    /// They cannot be written down.
    pub fn begin(&self, faults: &[&str]) {
        let (draft, place) = (self.path("draft"), self.path("faults"));
        let _ = fs::remove_file(self.path("met"));
        fs::write(&draft, faults.join("\n")).expect("the faults");
        // The programs find the old ones or the new ones.
        fs::rename(draft, place).expect("the faults in their place");
    }

    /// The disk is well again.
    pub fn end(&self) {
        let met = self.met();
        self.begin(&[]);
        fs::write(self.path("met"), met.join("\n")).expect("what was met");
    }

    /// Which calls on which files have met a fault since the faults began.
    pub fn met(&self) -> Vec<String> {
        let met = fs::read_to_string(self.path("met")).unwrap_or_default();
        met.lines().map(str::to_owned).collect()
    }
}
