//! What is to be done when: each folder has its line, and no folder can use up all workers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runledger_context::run::RunId;

use super::positions::Place;
use super::work::Work;
use super::workers;

/// So many workers may be at work in one folder: a file system that does not answer has its folders wait, not all.
const PER_FOLDER: usize = workers::AT_MOST / 2 - 1;
/// How soon what failed is tried again; twice as long after each failure, up to the longest.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(500);
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Something to be done, until it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) work: Work,
    /// The message that asks for it, and until when a fragment that cannot be seen is waited for.
    pub(super) message: Option<(Place, Instant)>,
    /// How long to wait after the next failure.
    pub(super) wait: Duration,
}

/// The lines of all folders.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    folders: BTreeMap<PathBuf, Line>,
    /// Counts the tasks, so that those for the same moment keep their order.
    count: u64,
    /// The folder that had its turn last.
    last: PathBuf,
}

#[derive(Debug, Default)]
struct Line {
    due: BTreeMap<(Instant, u64), Task>,
    /// The runs that somebody is at; None is the folder itself.
    at_work: BTreeSet<Option<RunId>>,
    rests_until: Option<Instant>,
}

impl Schedule {
    /// Puts a task into its folder's line.
    pub(super) fn add(&mut self, task: Task, when: Instant) {
        self.count += 1;
        let line = self.line(task.work.folder());
        line.0.due.insert((when, line.1), task);
    }

    fn line(&mut self, folder: &Path) -> (&mut Line, u64) {
        let line = self.folders.entry(folder.to_path_buf()).or_default();
        (line, self.count)
    }

    /// The next task that may begin; its run is being worked at then. The folders take turns.
    pub(super) fn next(&mut self, now: Instant) -> Option<Task> {
        let last = std::mem::take(&mut self.last);
        let after = (Excluded(last.clone()), Unbounded);
        let until = (Unbounded, std::ops::Bound::Included(last.clone()));
        let folder = [
            self.folders.range::<PathBuf, _>(after),
            self.folders.range::<PathBuf, _>(until),
        ]
        .into_iter()
        .flatten()
        .find_map(|(folder, line)| line.first(now).map(|key| (folder.clone(), key)));
        let Some((folder, key)) = folder else {
            self.last = last;
            return None;
        };
        let line = self.folders.get_mut(&folder)?;
        self.last = folder;
        let task = line.due.remove(&key)?;
        line.at_work.insert(task.work.run());
        Some(task)
    }

    /// Nobody is at this any more.
    pub(super) fn ended(&mut self, work: &Work) {
        if let Some(line) = self.folders.get_mut(work.folder()) {
            line.at_work.remove(&work.run());
            if line.at_work.is_empty() && line.due.is_empty() {
                self.folders.remove(work.folder());
            }
        }
    }

    /// What else is due in a folder would meet the same failure: it waits a little.
    pub(super) fn rest(&mut self, folder: &Path, until: Instant) {
        self.line(folder).0.rests_until = Some(until);
    }
}

impl Line {
    fn first(&self, now: Instant) -> Option<(Instant, u64)> {
        let rests = self.rests_until.is_some_and(|until| until > now);
        if rests || self.at_work.len() >= PER_FOLDER {
            return None;
        }
        self.due
            .range(..=(now, u64::MAX))
            .find(|(_, task)| !self.at_work.contains(&task.work.run()))
            .map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(folder: &str, run: u32) -> Task {
        Task {
            work: Work::Merge(folder.into(), RunId::new(1, run)),
            message: None,
            wait: FIRST_RETRY,
        }
    }

    #[test]
    fn one_at_a_time_is_at_a_run_and_the_folders_take_turns() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        for (folder, run) in [("/a", 1), ("/a", 1), ("/a", 2), ("/b", 1)] {
            schedule.add(task(folder, run), now);
        }
        let order: Vec<Task> = std::iter::from_fn(|| schedule.next(now)).collect();
        assert_eq!(order, [task("/a", 1), task("/b", 1), task("/a", 2)]);
        schedule.ended(&order[0].work);
        assert_eq!(schedule.next(now), Some(task("/a", 1)));
    }

    #[test]
    fn no_folder_has_all_workers() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        for run in 0..100 {
            schedule.add(task("/a", run), now);
        }
        let at_once = std::iter::from_fn(|| schedule.next(now)).count();
        assert!(at_once < workers::AT_MOST, "{at_once}");
        schedule.add(task("/b", 1), now);
        assert_eq!(schedule.next(now), Some(task("/b", 1)));
    }

    #[test]
    fn a_folder_that_rests_has_its_tasks_wait_and_keeps_them() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.add(task("/a", 1), now);
        let later = now + FIRST_RETRY;
        schedule.rest(Path::new("/a"), later);
        assert_eq!(schedule.next(now), None);
        assert_eq!(schedule.next(later), Some(task("/a", 1)));
    }
}
