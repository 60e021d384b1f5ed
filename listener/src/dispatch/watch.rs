//! Asking a queue about all that it has, in one go, and what is news of its answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ledger::{Attempt, State};
use crate::queue::JobState;

/// What a queue said about an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// The attempt, as it was when the queue was asked.
    pub attempt: Arc<Attempt>,
    /// What it said.
    pub state: JobState,
    /// Whether the queue has put it back into its line: it had begun before.
    pub is_requeued: bool,
}

impl Sighting {
    /// What a queue said that was asked about an attempt which was so far.
    pub(super) fn of(attempt: Arc<Attempt>, state: JobState) -> Self {
        let is_requeued = attempt.started_at.is_some() && matches!(state, JobState::Waiting(_));
        Self {
            attempt,
            state,
            is_requeued,
        }
    }

    /// How far the job is, and why it waits, if that is all that there is to note.
    pub(super) fn plain(&self) -> Option<(&str, State, Option<&str>)> {
        let (state, why) = match &self.state {
            JobState::Waiting(why) => (State::Pending, Some(why.as_str())),
            JobState::Running => (State::Running, None),
            _ => return None,
        };
        let is_usual = self.attempt.ended_at.is_none() && !self.is_requeued;
        let why = why.filter(|why| !why.is_empty());
        is_usual.then_some((self.attempt.processing_id.as_str(), state, why))
    }
}

/// A job is only taken for lost when the queue was asked so often.
const ASKED: u32 = 3;

/// What was said before.
#[derive(Debug, Default)]
pub(super) struct Memory(HashMap<(String, u32), Remembered>);

#[derive(Debug)]
struct Remembered {
    state: JobState,
    is_requeued: bool,
    since: Instant,
    times: u32,
}

impl Memory {
    /// Those of the answers that are news. An end is news until it is settled; a job that the queue does not know
    /// is news when that has been so for a while.
    pub(super) fn news(
        &mut self,
        said: Vec<Sighting>,
        now: Instant,
        gone_after: Duration,
    ) -> Vec<Sighting> {
        let mut before = std::mem::take(&mut self.0);
        let mut news = Vec::new();
        for mut sighting in said {
            let key = (
                sighting.attempt.processing_id.clone(),
                sighting.attempt.number,
            );
            if sighting.state == JobState::Silent {
                self.0.extend(before.remove_entry(&key));
                continue;
            }
            let last = before.remove(&key);
            sighting.is_requeued |= last.as_ref().is_some_and(|last| last.turns_back(&sighting));
            let is_same = |last: &Remembered| {
                (&last.state, last.is_requeued) == (&sighting.state, sighting.is_requeued)
            };
            let last = last.filter(is_same);
            let is_first = last.is_none();
            let mut remembered = last.unwrap_or_else(|| Remembered {
                state: sighting.state.clone(),
                is_requeued: sighting.is_requeued,
                since: now,
                times: 0,
            });
            remembered.times += 1;
            let is_news = match sighting.state {
                JobState::Ended(_) | JobState::Stuck(_) => true,
                JobState::Gone => remembered.times >= ASKED && now - remembered.since >= gone_after,
                // Until the queue gives up what is over for us.
                _ => is_first || sighting.attempt.ended_at.is_some(),
            };
            self.0.insert(key, remembered);
            if is_news {
                news.push(sighting);
            }
        }
        news
    }
}

impl Remembered {
    /// Whether what ran before waits again now, or still does.
    fn turns_back(&self, now: &Sighting) -> bool {
        let ran = self.is_requeued || self.state == JobState::Running;
        ran && matches!(now.state, JobState::Waiting(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHILE: Duration = Duration::from_secs(30);

    fn sighting(state: &JobState) -> Vec<Sighting> {
        vec![Sighting::of(Arc::default(), state.clone())]
    }

    #[test]
    fn the_same_answer_is_news_once() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let mut is_news = |state| !memory.news(sighting(&state), now, WHILE).is_empty();
        assert!(is_news(JobState::Running));
        assert!(!is_news(JobState::Running));
        assert!(is_news(JobState::Waiting("Priority".into())));
        assert!(is_news(JobState::Running));
    }

    #[test]
    fn a_job_that_waits_after_it_ran_was_put_back_also_if_nobody_saw_it_run() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let began = |started_at| Attempt {
            started_at,
            ..Attempt::default()
        };
        let mut is_put_back = |state: &JobState, started_at| {
            let said = vec![Sighting::of(began(started_at).into(), state.clone())];
            let news = memory.news(said, now, WHILE);
            news.first().map(|sighting| sighting.is_requeued)
        };
        let (waits, later) = (
            JobState::Waiting("Resources".into()),
            JobState::Waiting("BeginTime".into()),
        );
        assert_eq!(is_put_back(&waits, None), Some(false));
        assert_eq!(is_put_back(&waits, Some(1.0)), Some(true));
        assert_eq!(is_put_back(&waits, Some(1.0)), None);
        assert_eq!(is_put_back(&JobState::Running, None), Some(false));
        assert_eq!(is_put_back(&waits, None), Some(true));
        assert_eq!(is_put_back(&later, None), Some(true));
    }

    #[test]
    fn a_job_is_gone_when_the_queue_has_not_known_it_several_times_over_a_while() {
        let (mut memory, begun) = (Memory::default(), Instant::now());
        let mut is_news = |state, after: u64| {
            let now = begun + Duration::from_secs(after);
            !memory.news(sighting(&state), now, WHILE).is_empty()
        };
        assert!(!is_news(JobState::Gone, 0));
        // Asked twice only, however late.
        assert!(!is_news(JobState::Gone, 100));
        // Nobody answered.
        assert!(!is_news(JobState::Silent, 101));
        assert!(is_news(JobState::Gone, 101));
        // It was seen again: from the beginning.
        assert!(is_news(JobState::Running, 102));
        for after in 103..110 {
            assert!(!is_news(JobState::Gone, after));
        }
        assert!(is_news(JobState::Gone, 133));
    }
}
