//! Tells a topic from one that was made anew under its name: positions in the one mean nothing in the other, and the
//! library takes no notice.
//!
//! Each position is committed together with the id of its topic, in the field for notes that Kafka has beside it
//! (`metadata` of `OffsetCommit`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use tracing::{debug, warn};

use super::PATIENCE;
use super::describing::{Topic, describe};

/// How often the broker is asked whether topics are still the same.
const LOOK: Duration = Duration::from_secs(10);

/// So often in a row a broker that knows the question may leave it unanswered before reading begins all the same.
const UNANSWERED: u32 = 30;

/// What stands before a topic's id beside a position.
const NOTE: &str = "topic-id=";

/// The topics of one reader, whichever client reads them.
#[derive(Debug)]
pub(super) struct Topics {
    names: Vec<String>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    next_look: Instant,
    /// As they were when they were looked at first.
    first: BTreeMap<String, Topic>,
    /// Whether partitions have been begun: a topic that was not known then has come since.
    has_begun: bool,
    unanswered: u32,
    /// Whether the question was ever answered: not every broker knows it.
    is_known: bool,
    /// The ids of those that were found to be made anew, and of which that was said.
    told: BTreeMap<String, String>,
}

impl Topics {
    pub(super) fn of(names: &[String]) -> Self {
        let known = Known {
            next_look: Instant::now(),
            first: BTreeMap::new(),
            has_begun: false,
            unanswered: 0,
            is_known: false,
            told: BTreeMap::new(),
        };
        // What the library takes for patterns is no name.
        let names = names.iter().filter(|name| !name.starts_with('^'));
        Self {
            names: names.cloned().collect(),
            known: Mutex::new(known),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the broker knows of the topics now, and of `more`, for who is about to begin; nothing, if it does not know how
    /// to say that.
    ///
    /// # Errors
    /// It does not answer now.
    pub(super) fn look_to_begin<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        more: &[&str],
    ) -> KafkaResult<BTreeMap<String, Topic>> {
        self.answered(self.look(consumer, more))
    }

    fn answered(
        &self,
        answer: KafkaResult<BTreeMap<String, Topic>>,
    ) -> KafkaResult<BTreeMap<String, Topic>> {
        let mut known = self.known();
        match answer {
            Ok(now) => {
                (known.unanswered, known.is_known) = (0, true);
                Ok(now)
            }
            Err(why) => {
                known.unanswered += 1;
                match known.is_known && known.unanswered < UNANSWERED {
                    true => Err(why),
                    false => Ok(BTreeMap::new()),
                }
            }
        }
    }

    fn look<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        more: &[&str],
    ) -> KafkaResult<BTreeMap<String, Topic>> {
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.extend(more);
        names.sort_unstable();
        names.dedup();
        let answer = describe(consumer, &names, PATIENCE);
        self.known().next_look = Instant::now() + LOOK;
        match &answer {
            Ok(now) => self.see(now),
            Err(why) => {
                debug!(target: "kafka", "whether topics are the same is not known: {why}");
            }
        }
        answer
    }

    /// Keeps those that are seen first.
    fn see(&self, now: &BTreeMap<String, Topic>) {
        let mut known = self.known();
        for (name, topic) in now {
            let is_late = known.has_begun && !self.names.contains(name);
            let first = known.first.entry(name.clone());
            first.or_insert_with(|| match is_late {
                true => Topic::default(),
                false => topic.clone(),
            });
        }
    }

    /// Whether one of the topics that a client reads, by their ids, was made anew since, if it is time to look.
    pub(super) fn is_one_new<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        read: &BTreeMap<String, String>,
    ) -> bool {
        if self.known().next_look > Instant::now() {
            return false;
        }
        let names: Vec<&str> = read.keys().map(String::as_str).collect();
        let now = self.look(consumer, &names);
        now.is_ok_and(|now| self.are_others(read, &now))
    }

    /// Whether topics that a client reads have another id now; each is told of once.
    pub(super) fn are_others(
        &self,
        read: &BTreeMap<String, String>,
        now: &BTreeMap<String, Topic>,
    ) -> bool {
        let mut are_others = false;
        for (topic, old) in read {
            let id = now.get(topic).and_then(|topic| topic.id.as_ref());
            let Some(id) = id.filter(|id| *id != old) else {
                continue;
            };
            are_others = true;
            if self.known().told.insert(topic.clone(), id.clone()).as_ref() != Some(id) {
                warn!(target: "kafka", topic, "the topic was made anew: reading all that it has, as a new member of the group");
            }
        }
        are_others
    }

    /// Whether a position is one in an earlier topic of this name, by what stands beside it, and else by what was there at
    /// first.
    pub(super) fn is_foreign(&self, name: &str, beside: &str, now: Option<&Topic>) -> bool {
        let Some(id) = now.and_then(|topic| topic.id.as_deref()) else {
            return false;
        };
        let known = self.known();
        let at_first = known.first.get(name).and_then(|topic| topic.id.as_deref());
        id_in(beside)
            .or(at_first)
            .is_some_and(|of_position| of_position != id)
    }

    /// Whether a partition came into being after the first look: all that is in it has been sent since.
    pub(super) fn is_new(&self, (name, partition): (&str, i32), now: Option<&Topic>) -> bool {
        let known = self.known();
        let (Some(first), Some(now)) = (known.first.get(name), now) else {
            return false;
        };
        let is_another = first.id.is_some() && now.id.is_some() && first.id != now.id;
        is_another || usize::try_from(partition).is_ok_and(|index| index >= first.partitions)
    }

    /// Partitions are read from here on.
    pub(super) fn begun(&self) {
        self.known().has_begun = true;
    }
}

/// A topic's id as it stands beside a position.
pub(super) fn note(id: &str) -> String {
    format!("{NOTE}{id}")
}

/// The topic's id of a note, if one stands there.
pub(super) fn id_in(note: &str) -> Option<&str> {
    note.strip_prefix(NOTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    fn topic(id: &str, partitions: usize) -> Topic {
        let id = (!id.is_empty()).then(|| id.to_owned());
        Topic { id, partitions }
    }

    fn topics(first: Topic) -> Topics {
        let topics = Topics::of(&["runs".into(), "^others.*".into()]);
        topics.known().first.insert("runs".into(), first);
        topics
    }

    #[test]
    fn a_position_belongs_to_the_topic_that_stands_beside_it() {
        let topics = topics(topic("a", 1));
        let is_foreign = |beside: &str, id| topics.is_foreign("runs", beside, Some(&topic(id, 1)));
        assert!(is_foreign("topic-id=a", "b") && !is_foreign("topic-id=b", "b"));
        // As other clients commit positions, and as other brokers know topics.
        assert!(is_foreign("", "b") && is_foreign("theirs", "b") && !is_foreign("", "a"));
        assert!(!is_foreign("topic-id=a", ""));
        assert!(!topics.is_foreign("runs", "topic-id=a", None));
        assert!(!topics.is_foreign("others", "", Some(&topic("b", 1))));
    }

    #[test]
    fn partitions_that_came_into_being_later_are_new() {
        let is_new = |first: Topic, partition, now| {
            let (topics, now) = (topics(first), topic(now, 9));
            topics.is_new(("runs", partition), Some(&now))
        };
        assert!(!is_new(topic("a", 2), 1, "a") && is_new(topic("a", 2), 2, "a"));
        assert!(is_new(Topic::default(), 0, "a") && is_new(topic("a", 2), 0, "b"));
        assert!(!is_new(topic("", 2), 0, "b") && !is_new(topic("a", 2), 0, ""));
        // Nobody has looked.
        assert!(!topics(topic("a", 1)).is_new(("others", 0), Some(&topic("b", 1))));
    }

    #[test]
    fn topics_of_a_pattern_that_come_later_are_new() {
        let topics = Topics::of(&["^others.*".into()]);
        let see = |name: &str| {
            let now = BTreeMap::from([(name.to_owned(), topic("a", 1))]);
            topics.see(&now);
            topics.is_new((name, 0), Some(&topic("a", 1)))
        };
        assert!(!see("others1"));
        topics.begun();
        assert!(!see("others1") && see("others2"));
    }

    #[test]
    fn a_client_that_knew_an_earlier_topic_is_of_no_use_however_often_that_was_told() {
        let topics = topics(topic("a", 1));
        let read = BTreeMap::from([("runs".to_owned(), "a".to_owned())]);
        let are_others = |id| {
            let now = BTreeMap::from([("runs".to_owned(), topic(id, 1))]);
            topics.are_others(&read, &now)
        };
        let [same, other, again, unknown] = ["a", "b", "b", ""].map(are_others);
        assert!(!same && other && again && !unknown);
        assert_eq!(topics.known().told["runs"], "b");
        assert!(!topics.are_others(&BTreeMap::new(), &BTreeMap::new()));
    }

    #[test]
    fn a_broker_that_never_answers_that_question_is_read_all_the_same() {
        let topics = topics(topic("a", 1));
        let timed_out = || Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut));
        assert_eq!(topics.answered(timed_out()), Ok(BTreeMap::new()));
    }

    #[test]
    fn a_broker_that_does_not_answer_just_now_is_waited_for_but_not_for_ever() {
        let topics = topics(topic("a", 1));
        let timed_out = || Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut));
        for _ in 0..2 {
            topics.answered(Ok(BTreeMap::new())).unwrap();
            assert!((1..UNANSWERED).all(|_| topics.answered(timed_out()).is_err()));
        }
        assert_eq!(topics.answered(timed_out()), Ok(BTreeMap::new()));
    }
}
