//! The folders that are looked through: those that the listener beside us watches, and those of which a fragment was
//! announced, also before a restart.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use runledger_context::text_file;
use runledger_steps::{Step, reached};
use runledger_storage::sharing;
use tracing::warn;

use crate::listener_db::{FILE_NAME, ListenerDb};

/// In the combiner's folder: a line, as JSON, for each folder of which a fragment was announced.
const REMEMBERED: &str = "combiner-folders.jsonl";

/// The folders that are looked through.
#[derive(Debug)]
pub(super) struct KnownFolders {
    /// The combiner's own folder.
    dir: PathBuf,
    all: BTreeSet<PathBuf>,
    /// Those that are not written down yet.
    new: BTreeSet<PathBuf>,
}

impl KnownFolders {
    /// Those that are known to a combiner that starts in `dir`.
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            all: remembered(&dir.join(REMEMBERED)),
            new: BTreeSet::new(),
        }
    }

    /// A fragment was announced there.
    pub(super) fn add(&mut self, folder: &Path) {
        if self.all.insert(folder.to_path_buf()) {
            self.new.insert(folder.to_path_buf());
            self.write_down();
        }
    }

    /// What the disk does not take now it gets again later.
    fn write_down(&mut self) {
        let file = self.dir.join(REMEMBERED);
        self.new.retain(|folder| match remember(&file, folder) {
            Ok(()) => false,
            Err(why) => {
                warn!(folder = %folder.display(), "would not be looked through after a restart now: {} cannot be written: {why}", file.display());
                true
            }
        });
    }

    /// All of them; the listener may have come to watch new ones.
    pub(super) fn all(&mut self) -> Vec<PathBuf> {
        self.write_down();
        if self.dir.join(FILE_NAME).is_file() {
            match ListenerDb::open(&self.dir).and_then(|db| db.sites()) {
                Ok(sites) => self
                    .all
                    .extend(sites.into_iter().map(|site| site.database_dir)),
                Err(why) => warn!("which databases are watched cannot be told: {why}"),
            }
        }
        self.all.iter().cloned().collect()
    }

    /// How many were known when they were last asked for.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }
}

/// A line that was cut off by a crash is of a folder that will be announced again.
fn remembered(file: &Path) -> BTreeSet<PathBuf> {
    let text = text_file::read(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn remember(file: &Path, folder: &Path) -> std::io::Result<()> {
    let line = serde_json::to_string(folder)?;
    let mut opened = sharing::open(File::options().create(true).append(true), file)?;
    // First, so that a line that was cut off spoils only itself.
    opened.write_all(format!("\n{line}\n").as_bytes())?;
    opened.sync_all()?;
    reached(Step::FolderRemembered);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_remembered_whatever_its_name_and_whatever_a_crash_left() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("a \"folder\"\nof two lines");
        std::fs::write(dir.path().join(REMEMBERED), "\"/cut o").unwrap();
        let mut known = KnownFolders::of(dir.path());
        known.add(&odd);
        known.add(&odd);
        assert_eq!(known.all(), std::slice::from_ref(&odd));
        assert_eq!(KnownFolders::of(dir.path()).all(), [odd]);
    }
}
