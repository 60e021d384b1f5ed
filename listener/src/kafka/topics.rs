//! Tells a topic from one that was made anew under its name: positions in the one mean nothing in the other, and the
//! library takes no notice.
//!
//! Each position is committed together with the id of its topic, in the field for notes that Kafka has beside it
//! (`metadata` of `OffsetCommit`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use tracing::{debug, warn};

use super::describing::{Topic, describe};

/// How often the broker is asked whether topics are still the same, and how long it may take to answer.
const LOOK: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// The ids of those in which positions are told to the broker.
    read: BTreeMap<String, String>,
    /// The ids of those that were found to be made anew, and of which that was said.
    told: BTreeMap<String, String>,
}

impl Topics {
    pub(super) fn of(names: &[String]) -> Self {
        let known = Known {
            next_look: Instant::now(),
            first: BTreeMap::new(),
            read: BTreeMap::new(),
            told: BTreeMap::new(),
        };
        Self {
            // The library takes others for patterns.
            names: names
                .iter()
                .filter(|name| !name.starts_with('^'))
                .cloned()
                .collect(),
            known: Mutex::new(known),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the broker knows of the topics now, and of `more`; nothing where it does not say.
    pub(super) fn look<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        more: &[&str],
    ) -> BTreeMap<String, Topic> {
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.extend(more);
        names.sort_unstable();
        names.dedup();
        let now = describe(consumer, &names, PATIENCE).unwrap_or_else(|why| {
            debug!(target: "kafka", "whether topics are the same is not known: {why}");
            BTreeMap::new()
        });
        let mut known = self.known();
        known.next_look = Instant::now() + LOOK;
        for (name, topic) in &now {
            let first = known.first.entry(name.clone());
            first.or_insert_with(|| topic.clone());
        }
        now
    }

    /// Whether a topic was made anew since positions in it were told to the broker, if it is time to look.
    pub(super) fn is_one_new<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) -> bool {
        self.known().next_look <= Instant::now() && self.note(&self.look(consumer, &[]))
    }

    fn note(&self, now: &BTreeMap<String, Topic>) -> bool {
        let mut known = self.known();
        let mut is_one_new = false;
        for (topic, id) in with_ids(now) {
            let is_read = known.read.get(topic).is_none_or(|read| read == id);
            if !is_read && known.told.insert(topic.clone(), id.clone()).as_ref() != Some(id) {
                warn!(target: "kafka", topic, "the topic was made anew: reading all that it has, as a new member of the group");
                is_one_new = true;
            }
        }
        is_one_new
    }

    /// Whether a position is one in an earlier topic of this name, by what stands beside it, and else by what was read.
    pub(super) fn is_foreign(&self, name: &str, beside: &str, now: Option<&Topic>) -> bool {
        let Some(id) = now.and_then(|topic| topic.id.as_deref()) else {
            return false;
        };
        match id_in(beside) {
            Some(of_position) => of_position != id,
            None => self.known().read.get(name).is_some_and(|read| read != id),
        }
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

    /// From here on positions are those in the topic with this id.
    pub(super) fn read(&self, name: &str, id: String) {
        self.known().read.insert(name.to_owned(), id);
    }

    /// What is to stand beside positions in a topic.
    pub(super) fn beside(&self, name: &str) -> Option<String> {
        self.known().read.get(name).map(|id| note(id))
    }
}

fn with_ids(topics: &BTreeMap<String, Topic>) -> impl Iterator<Item = (&String, &String)> {
    topics
        .iter()
        .filter_map(|(name, topic)| Some((name, topic.id.as_ref()?)))
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
        // As other clients commit positions, and as other brokers know topics.
        assert!(!is_foreign("", "b") && !is_foreign("topic-id=a", ""));
        assert!(is_foreign("topic-id=a", "b") && !is_foreign("topic-id=b", "b"));
        topics.read("runs", "a".into());
        assert_eq!(topics.beside("runs").as_deref(), Some("topic-id=a"));
        assert!(is_foreign("", "b") && is_foreign("theirs", "b") && !is_foreign("", "a"));
        assert!(!topics.is_foreign("runs", "topic-id=a", None));
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
    fn a_topic_made_anew_is_told_of_once() {
        let topics = topics(topic("a", 1));
        let mut note = |id| topics.note(&BTreeMap::from([("runs".to_owned(), topic(id, 1))]));
        assert!(!note("a") && !note("b"));
        topics.read("runs", "a".into());
        assert_eq!(
            ["a", "b", "b", "c", "", "c"].map(&mut note),
            [false, true, false, true, false, false]
        );
    }
}
