//! What was merged of late, some of it before its announcement was heard.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// The latest merged fragments; names are never used again.
#[derive(Debug, Default)]
pub(super) struct Merged {
    paths: BTreeSet<PathBuf>,
    order: VecDeque<PathBuf>,
}

impl Merged {
    const AT_MOST: usize = 10_000;

    pub(super) fn add(&mut self, fragments: Vec<PathBuf>) {
        for path in fragments {
            self.order.push_back(path.clone());
            self.paths.insert(path);
        }
        while self.order.len() > Self::AT_MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.paths.remove(&oldest);
            }
        }
    }

    pub(super) fn has(&self, fragment: &Path) -> bool {
        self.paths.contains(fragment)
    }
}
