//! Folders that failed just now: each is asked once in a while, however many notifications wait for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a folder is left alone after it failed; twice as long after each further failure, up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The folders that are left alone for a while.
#[derive(Debug, Default)]
pub(crate) struct Resting(BTreeMap<PathBuf, Rest>);

#[derive(Debug)]
struct Rest {
    until: Instant,
    length: Duration,
    reason: String,
    is_locked: bool,
}

impl Resting {
    /// Why a folder is not to be asked at this moment; None if it may be.
    pub(crate) fn reason(&self, folder: &Path, now: Instant) -> Option<&str> {
        let rest = self.0.get(folder).filter(|rest| now < rest.until)?;
        Some(&rest.reason)
    }

    /// It was asked and failed, perhaps because another program has its database locked.
    pub(crate) fn failed(&mut self, folder: &Path, now: Instant, reason: String, is_locked: bool) {
        let last = self.0.get(folder).map(|rest| rest.length);
        let length = last.map_or(FIRST, |last| (last * 2).min(LONGEST));
        let rest = Rest {
            until: now + length,
            length,
            reason,
            is_locked,
        };
        self.0.insert(folder.to_path_buf(), rest);
    }

    /// The folders whose databases were locked when they were asked.
    pub(crate) fn locked(&self) -> impl Iterator<Item = &Path> {
        let locked = self.0.iter().filter(|(_, rest)| rest.is_locked);
        locked.map(|(folder, _)| folder.as_path())
    }

    /// It was asked and answered.
    pub(crate) fn answered(&mut self, folder: &Path) {
        self.0.remove(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests(resting: &Resting, now: Instant) -> bool {
        resting.reason(Path::new("/a"), now).is_some()
    }

    #[test]
    fn a_folder_that_fails_again_rests_longer_until_it_answers() {
        let (mut resting, folder, now) = (Resting::default(), Path::new("/a"), Instant::now());
        assert!(!rests(&resting, now));
        resting.failed(folder, now, "locked".into(), true);
        assert_eq!(resting.reason(folder, now), Some("locked"));
        assert!(!rests(&resting, now + FIRST));
        resting.failed(folder, now, "locked".into(), true);
        assert!(rests(&resting, now + FIRST) && !rests(&resting, now + 2 * FIRST));
        resting.answered(folder);
        resting.failed(folder, now, "locked".into(), true);
        assert!(!rests(&resting, now + FIRST));
    }

    #[test]
    fn no_rest_is_longer_than_the_longest_and_others_are_not_concerned() {
        let (mut resting, now) = (Resting::default(), Instant::now());
        for _ in 0..100 {
            resting.failed(Path::new("/a"), now, "gone".into(), false);
        }
        assert!(!rests(&resting, now + LONGEST));
        assert_eq!(resting.reason(Path::new("/b"), now), None);
        assert_eq!(resting.locked().count(), 0);
    }
}
