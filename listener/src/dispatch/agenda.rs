//! Which database has its turn next: one at a time each, those that are due longest first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Report, Sighting};
use crate::backoff;
use crate::job::Job;
use crate::ledger::{Attempt, Open, State};

/// How often a database is looked at where nothing is known to happen: others may plan jobs in it, too.
const LOOK: Duration = Duration::from_secs(30);
/// How soon a database that could not be used has its next turn; twice as long each further time, up to the longest.
const AGAIN: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The databases and what is to be done for them.
#[derive(Debug, Default)]
pub(super) struct Agenda(BTreeMap<PathBuf, Page>);

#[derive(Debug)]
struct Page {
    due: Instant,
    is_busy: bool,
    /// Whether what its queues have is known.
    is_known: bool,
    failures: u32,
    work: Work,
    open: Vec<Open>,
    left: usize,
}

/// What is to be done in a turn.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// What queues said.
    pub(super) sightings: Vec<Sighting>,
    /// Jobs that the clients have not heard of.
    pub(super) new: Vec<Job>,
    /// Whether this is the first turn of this database.
    pub(super) is_first: bool,
    /// Whether something may be submitted: what queues have of the others is known.
    pub(super) may_submit: bool,
}

impl Agenda {
    /// A database is to have a turn, now.
    pub(super) fn add(&mut self, database_dir: &Path, now: Instant) -> &mut Work {
        let page = self.0.entry(database_dir.to_path_buf()).or_insert(Page {
            due: now,
            is_busy: false,
            is_known: false,
            failures: 0,
            work: Work::default(),
            open: Vec::new(),
            left: 0,
        });
        page.due = page.due.min(now);
        &mut page.work
    }

    /// The database whose turn it is, which is busy until [`done`](Self::done).
    pub(super) fn take(&mut self, now: Instant) -> Option<(PathBuf, Work)> {
        let ready = self
            .0
            .iter()
            .filter(|(_, page)| !page.is_busy && page.due <= now);
        let (dir, _) = ready.min_by_key(|(_, page)| (page.is_known, page.due))?;
        let dir = dir.clone();
        let may_submit = self
            .0
            .iter()
            .all(|(other, page)| page.is_known || *other == dir);
        let page = self.0.get_mut(&dir)?;
        page.is_busy = true;
        page.due = now + LOOK;
        let work = Work {
            is_first: !page.is_known,
            may_submit,
            ..std::mem::take(&mut page.work)
        };
        Some((dir, work))
    }

    /// A turn is over; None: the database could not be used.
    pub(super) fn done(
        &mut self,
        database_dir: &Path,
        report: Option<Report>,
        now: Instant,
        may_submit: bool,
    ) {
        let Some(page) = self.0.get_mut(database_dir) else {
            return;
        };
        page.is_busy = false;
        page.is_known = true;
        match report {
            Some(report) => {
                page.failures = 0;
                page.open = report.open;
                page.left = report.left;
                let next = if may_submit {
                    report.next
                } else {
                    Some(Duration::ZERO)
                };
                if let Some(next) = next {
                    page.due = page.due.min(now + next);
                }
            }
            None => {
                page.due = now + backoff::wait(AGAIN, LONGEST, page.failures);
                page.failures += 1;
            }
        }
    }

    /// How long until somebody has a turn.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let idle = self.0.values().filter(|page| !page.is_busy);
        let next = idle.map(|page| page.due).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// What a queue is to be asked about.
    pub(super) fn open_in<'a>(
        &'a self,
        queue: &'a str,
    ) -> impl Iterator<Item = (&'a Path, &'a Arc<Attempt>)> {
        let all = self
            .0
            .iter()
            .flat_map(|(dir, page)| page.open.iter().map(move |open| (dir.as_path(), open)));
        all.map(|(dir, open)| (dir, &open.attempt))
            .filter(move |(_, attempt)| attempt.queue == queue && attempt.is_in_queue())
    }

    /// Whether there is anything to ask a queue about.
    pub(super) fn has_open(&self, queue: &str) -> bool {
        self.open_in(queue).next().is_some()
    }

    /// How many jobs are not at their end, as far as that is known; one for a database that is still to be looked at.
    pub(super) fn left(&self, now: Instant) -> usize {
        let is_due = |page: &Page| page.is_busy || page.due <= now;
        self.0
            .values()
            .map(|page| page.left.max(usize::from(is_due(page))))
            .sum()
    }

    /// How many jobs are in each state that is not the last one, as far as that is known.
    pub(super) fn by_state(&self) -> BTreeMap<State, usize> {
        let unfinished = State::ALL.into_iter().filter(|state| !state.is_final());
        let mut found: BTreeMap<State, usize> = unfinished.map(|state| (state, 0)).collect();
        for page in self.0.values() {
            let open = page.open.iter().filter(|open| !open.state.is_final());
            let states: Vec<State> = open.map(|open| open.state).collect();
            *found.entry(State::Planned).or_default() += page.left.saturating_sub(states.len());
            for state in states {
                *found.entry(state).or_default() += 1;
            }
        }
        found
    }

    /// Whether a turn is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.0.values().any(|page| page.is_busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(agenda: &mut Agenda, dir: &str, now: Instant) {
        agenda.done(Path::new(dir), Some(Report::default()), now, true);
    }

    #[test]
    fn a_database_has_one_turn_at_a_time_and_another_if_it_was_added_meanwhile() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        agenda.add(Path::new("/a"), now);
        assert!(agenda.take(now).is_some() && agenda.take(now).is_none());
        agenda.add(Path::new("/a"), now);
        assert!(agenda.take(now).is_none());
        done(&mut agenda, "/a", now);
        assert!(agenda.take(now).is_some());
        done(&mut agenda, "/a", now);
        assert!(agenda.take(now).is_none() && agenda.take(now + LOOK).is_some());
    }

    #[test]
    fn nothing_is_submitted_before_all_are_known() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        for dir in ["/a", "/b"] {
            agenda.add(Path::new(dir), now);
        }
        let (first, work) = agenda.take(now).unwrap();
        assert!(!work.may_submit && work.is_first);
        agenda.done(&first, Some(Report::default()), now, work.may_submit);
        let (second, work) = agenda.take(now).unwrap();
        assert!(work.may_submit && work.is_first);
        agenda.done(&second, None, now, work.may_submit);
        // The first one has not had its turn to submit; the second one could not be used.
        let (dir, work) = agenda.take(now).unwrap();
        assert!(dir == first && work.may_submit && !work.is_first);
        assert!(agenda.take(now).is_none());
    }

    #[test]
    fn a_database_that_cannot_be_used_rests_longer_each_time() {
        let (mut agenda, mut now) = (Agenda::default(), Instant::now());
        let mut waits = Vec::new();
        agenda.add(Path::new("/a"), now);
        for _ in 0..8 {
            agenda.take(now).unwrap();
            agenda.done(Path::new("/a"), None, now, true);
            let wait = agenda.wait(now).unwrap();
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
