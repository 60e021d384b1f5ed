//! Arrays that wait for an earlier one although all its jobs have ended: a controller that was killed may miss their
//! ends, and takes it for running for half an hour.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::ledger::Attempt;
use crate::queue::{JobState, QueueManager};

/// The arrays that wait though nothing is left of their chain before them, and since when.
#[derive(Debug, Default)]
pub(super) struct Ghosts(HashMap<String, Instant>);

impl Ghosts {
    /// The first task of each array that has waited so for longer than `patience`: a queue needs a moment to see that
    /// jobs have ended. Each has that time again before it is named again.
    pub(super) fn overdue<'a>(
        &mut self,
        attempts: &'a [Arc<Attempt>],
        states: &[JobState],
        now: Instant,
        patience: Duration,
    ) -> Vec<&'a Attempt> {
        let before = std::mem::take(&mut self.0);
        let mut overdue = Vec::new();
        for first in waiting_heads(attempts, states) {
            let mut since = before.get(&first.token).copied().unwrap_or(now);
            if now.duration_since(since) >= patience {
                overdue.push(first);
                since = now;
            }
            self.0.insert(first.token.clone(), since);
        }
        overdue
    }
}

/// The first task of each array that was put behind another one, of which all has ended, and that has not begun.
/// Attempts come in the order of their submission.
fn waiting_heads<'a>(attempts: &'a [Arc<Attempt>], states: &[JobState]) -> Vec<&'a Attempt> {
    let mut heads: BTreeMap<&str, (&Attempt, bool)> = BTreeMap::new();
    let unfinished = attempts.iter().zip(states);
    for (attempt, state) in unfinished.filter(|(attempt, _)| attempt.ended_at.is_none()) {
        let Some(chain) = attempt.chain.as_deref() else {
            continue;
        };
        let (first, waits) = heads.entry(chain).or_insert((attempt, true));
        if first.token == attempt.token {
            *waits &= matches!(state, JobState::Waiting(_));
        }
    }
    let behind = |first: &Attempt| first.chain.as_ref() != Some(&first.token);
    let heads = heads.into_values();
    heads
        .filter_map(|(first, waits)| (waits && behind(first)).then_some(first))
        .collect()
}

/// Lets the array of this task begin, and tells of it.
pub(super) fn release(queue: &dyn QueueManager, first: &Attempt) {
    let (name, id) = (queue.name(), first.queue_id.as_deref().unwrap_or(""));
    match queue.release(first) {
        Ok(false) => {}
        Ok(true) => warn!(
            queue = name,
            id,
            "the queue let this array wait for an earlier one, all of whose jobs have ended: it does not any more"
        ),
        Err(why) => warn!(
            queue = name,
            id,
            "this array waits for an earlier one, all of whose jobs have ended, and cannot be let go: {why}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHILE: Duration = Duration::from_secs(30);

    fn task(token: &str, ended_at: Option<f64>) -> Arc<Attempt> {
        Arc::new(Attempt {
            token: token.into(),
            chain: Some("first".into()),
            ended_at,
            ..Attempt::default()
        })
    }

    /// The arrays that are named after two tasks of the first, and two each of two that wait, are so far.
    fn named(
        first: [Option<f64>; 2],
        second: JobState,
        ghosts: &mut Ghosts,
        now: Instant,
    ) -> Vec<String> {
        let waits = || JobState::Waiting(String::new());
        let mut attempts: Vec<_> = first.map(|ended_at| task("first", ended_at)).into();
        attempts.extend(["second", "second", "third", "third"].map(|token| task(token, None)));
        let running = || JobState::Running;
        let states = [running(), running(), waits(), second, waits(), waits()];
        let overdue = ghosts.overdue(&attempts, &states, now, WHILE);
        overdue.iter().map(|first| first.token.clone()).collect()
    }

    #[test]
    fn the_next_array_is_named_when_all_jobs_before_it_have_ended_for_a_while_and_then_once_in_a_while()
     {
        let (mut ghosts, begun) = (Ghosts::default(), Instant::now());
        let mut named = |first, second| {
            let waits = JobState::Waiting(String::new());
            named(
                first,
                waits,
                &mut ghosts,
                begun + Duration::from_secs(second),
            )
        };
        let (some, all) = ([Some(1.0), None], [Some(1.0); 2]);
        assert!(named(some, 0).is_empty());
        assert!(named(some, 100).is_empty());
        assert!(named(all, 101).is_empty());
        assert!(named(all, 130).is_empty());
        assert_eq!(named(all, 131), ["second"]);
        assert!(named(all, 160).is_empty());
        assert_eq!(named(all, 161), ["second"]);
    }

    #[test]
    fn an_array_that_has_begun_or_of_which_nothing_is_known_waits_for_nobody() {
        for second in [JobState::Running, JobState::Silent] {
            let (mut ghosts, now) = (Ghosts::default(), Instant::now());
            for now in [now, now + 2 * WHILE] {
                assert!(named([Some(1.0); 2], second.clone(), &mut ghosts, now).is_empty());
            }
        }
    }

    #[test]
    fn the_first_array_of_a_chain_is_never_named() {
        let (mut ghosts, now) = (Ghosts::default(), Instant::now());
        let first = [task("first", None)];
        for now in [now, now + 2 * WHILE] {
            let waits = [JobState::Waiting(String::new())];
            assert!(ghosts.overdue(&first, &waits, now, WHILE).is_empty());
        }
    }
}
