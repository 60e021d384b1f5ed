//! Says once that a member waits for its share of the partitions, and why that takes as long as it does; and once that it
//! has waited for longer than a group needs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::statistics::{ConsumerGroup, Statistics};
use tracing::{info, warn};

/// A group whose members answer has given out its partitions long before.
const LONG: Duration = Duration::from_secs(30);

/// The wait that goes on.
#[derive(Debug, Default)]
pub(super) struct Joining(Mutex<Wait>);

#[derive(Debug, Default)]
struct Wait {
    /// When we were first seen without a share.
    since: Option<Instant>,
    is_told: bool,
    is_warned: bool,
}

/// What is to be said of a wait.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Waits,
    WaitsForLong,
}

impl Joining {
    /// The library tells every few seconds how things are: who joins at once is not heard of here.
    pub(super) fn look(&self, statistics: &Statistics) {
        let Some(group) = &statistics.cgrp else {
            return;
        };
        match self.wait(|wait| wait.look(group, Instant::now())) {
            None => {}
            Some(Word::Waits) => info!(
                target: "kafka",
                "waiting to join the group: the broker gives out partitions when all members have answered, and misses \
                 one that was killed only after its session.timeout.ms; nothing is read until then"
            ),
            Some(Word::WaitsForLong) => warn!(
                target: "kafka", join_state = group.join_state,
                "not let into the group for half a minute: nothing is read, though the broker answers. Does it know the \
                 group.protocol that is set? \"consumer\" needs Kafka 4.0 or later. If none is set, another member keeps \
                 the group waiting. Trying on quietly"
            ),
        }
    }

    /// The share is there.
    pub(super) fn over(&self) {
        self.wait(|wait| *wait = Wait::default());
    }

    fn wait<T>(&self, with: impl FnOnce(&mut Wait) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wait {
    fn look(&mut self, group: &ConsumerGroup, now: Instant) -> Option<Word> {
        if !is_outside(group) {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if now - since > LONG && !std::mem::replace(&mut self.is_warned, true) {
            return Some(Word::WaitsForLong);
        }
        let is_news = is_asked(group) && !std::mem::replace(&mut self.is_told, true);
        is_news.then_some(Word::Waits)
    }
}

/// The broker that has the group is there, and has not said what is ours. Whoever is "steady" without partitions has been
/// told that others have them all.
fn is_outside(group: &ConsumerGroup) -> bool {
    let is_before = group.join_state == "init" || is_asked(group);
    group.state == "up" && group.assignment_size == 0 && is_before
}

/// In the library's words: the broker was asked, and has not answered.
fn is_asked(group: &ConsumerGroup) -> bool {
    ["wait-join", "wait-metadata", "wait-sync"].contains(&group.join_state.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of groups like these, one each ten seconds.
    fn said(groups: &[ConsumerGroup]) -> Vec<Option<Word>> {
        let (mut wait, begun) = (Wait::default(), Instant::now());
        let times = (0..).map(|look| begun + Duration::from_secs(10 * look));
        let looks = groups.iter().zip(times);
        looks.map(|(group, now)| wait.look(group, now)).collect()
    }

    fn group(state: &str, join_state: &str, assignment_size: i32) -> ConsumerGroup {
        ConsumerGroup {
            state: state.into(),
            join_state: join_state.into(),
            assignment_size,
            ..ConsumerGroup::default()
        }
    }

    #[test]
    fn a_broker_that_lets_nobody_in_is_told_of_once() {
        let never_asked = vec![group("up", "init", 0); 8];
        let mut expected = [
            None,
            None,
            None,
            None,
            Some(Word::WaitsForLong),
            None,
            None,
            None,
        ];
        assert_eq!(said(&never_asked), expected);
        expected[0] = Some(Word::Waits);
        assert_eq!(said(&vec![group("up", "wait-join", 0); 8]), expected);
    }

    #[test]
    fn whoever_was_told_its_share_or_finds_no_broker_waits_for_nothing() {
        for group in [
            group("up", "steady", 0),
            group("up", "wait-join", 2),
            group("query-coord", "init", 0),
        ] {
            assert!(said(&vec![group; 8]).iter().all(Option::is_none));
        }
    }

    #[test]
    fn a_group_that_gives_out_its_partitions_again_and_again_is_no_long_wait() {
        let (asked, told) = (group("up", "wait-join", 0), group("up", "steady", 0));
        let in_turn = [asked, told].into_iter().cycle().take(20);
        let said = said(&in_turn.collect::<Vec<_>>());
        assert!(!said.contains(&Some(Word::WaitsForLong)));
    }
}
