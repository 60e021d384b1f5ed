//! Where a group begins to read a partition: that it has never read, of which the broker no longer has what comes next, or
//! whose topic is another one by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};
use tracing::{error, warn};

use super::PATIENCE;
use super::describing::Topic;
use super::topics::{Topics, id_in, note};
use crate::message::Heard;

/// By how much senders' clocks, and the order in which their messages come, may be wrong: in milliseconds.
const SLACK: i64 = 10 * 60 * 1000;

/// Where to begin where no position has been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what is sent from now on.
    Now,
    /// With the oldest message that the broker still has.
    Earliest,
    /// With the first message sent at or after this moment, in milliseconds since 1970.
    Moment(i64),
}

/// What decides where a partition begins.
#[derive(Debug, Clone)]
pub(super) struct Begin {
    pub(super) start: Start,
    pub(super) topics: Arc<Topics>,
    /// What the group knows by itself.
    pub(super) heard: Arc<Heard>,
    /// When the reader was made, in milliseconds since 1970: that is "now", however long the broker cannot be reached.
    pub(super) born: i64,
}

/// How partitions are begun.
#[derive(Default)]
pub(super) struct Beginning {
    /// All of them, each with where to go on.
    pub(super) all: TopicPartitionList,
    /// Those of which that is news for the broker.
    pub(super) new: TopicPartitionList,
    /// The ids of their topics, as far as they are known.
    pub(super) ids: BTreeMap<String, String>,
    /// How many messages the broker removed unread.
    pub(super) missed: u64,
}

impl Begin {
    /// For these partitions; None for a client that reads an earlier topic of one of these names, by the ids that it
    /// knows: what the library remembers of that one, as how often its leader changed, would keep it from this one.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(super) fn find<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        given: &TopicPartitionList,
        read: &BTreeMap<String, String>,
    ) -> KafkaResult<Option<Beginning>> {
        let partitions = given.elements();
        let names: Vec<&str> = partitions.iter().map(|one| one.topic()).collect();
        // Before positions are asked for: should the topic be made anew in between, the next look shows it.
        let there = self.topics.look_to_begin(consumer, &names)?;
        if self.topics.are_others(read, &there) {
            return Ok(None);
        }
        let committed = consumer.committed_offsets(given.clone(), PATIENCE)?;
        let (mut beginning, mut is_as_committed) = (Beginning::default(), true);
        for one in committed.elements() {
            let topic = there.get(one.topic());
            let (next, missed) = self.next(consumer, &one, topic)?;
            let is_known = one.offset() == Offset::Offset(next);
            let id = topic.and_then(|topic| topic.id.as_deref());
            let id = id.or_else(|| id_in(one.metadata()).filter(|_| is_known));
            beginning.missed += missed;
            is_as_committed &= is_known;
            add(&mut beginning.all, &one, next, None)?;
            if !is_known || id.is_some_and(|id| id_in(one.metadata()) != Some(id)) {
                add(&mut beginning.new, &one, next, id)?;
            }
            if let Some(id) = id {
                beginning.ids.insert(one.topic().into(), id.into());
            }
        }
        // With what the broker keeps beside positions: a cut end of a partition is noticed by that.
        if is_as_committed {
            beginning.all = committed;
        }
        Ok(Some(beginning))
    }

    /// Where to go on in a partition of a topic, and how many messages are gone before that.
    fn next<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        committed: &TopicPartitionListElem<'_>,
        topic: Option<&Topic>,
    ) -> KafkaResult<(i64, u64)> {
        let place = (committed.topic(), committed.partition());
        let kept = consumer.fetch_watermarks(place.0, place.1, PATIENCE)?;
        Ok(match committed.offset() {
            Offset::Offset(next)
                if self.topics.is_foreign(place.0, committed.metadata(), topic) =>
            {
                warn!(
                    target: "kafka", topic = place.0, partition = place.1, next,
                    "the position is one in an earlier topic of this name: reading all that this one has"
                );
                (kept.0, 0)
            }
            Offset::Offset(next) => (
                in_reach(place, next, kept).unwrap_or(next),
                u64::try_from(kept.0 - next).unwrap_or(0),
            ),
            _ if self.topics.is_new(place, topic) => (kept.0, 0),
            _ => (self.first(consumer, place, kept)?, 0),
        })
    }

    /// Where to begin, the broker having what is from `oldest` to before `end`.
    fn first<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        place: (&str, i32),
        (oldest, end): (i64, i64),
    ) -> KafkaResult<i64> {
        let since = |sent| Ok(since(consumer, place, sent)?.unwrap_or(end));
        match self.start {
            Start::Earliest => Ok(oldest),
            Start::Moment(sent) => since(sent),
            Start::Now => match self.heard(place) {
                Some(sent) => {
                    warn!(
                        target: "kafka", topic = place.0, partition = place.1,
                        "the broker has no position of this group, which has heard from there before: going on with what was \
                         sent since then"
                    );
                    since(sent - SLACK)
                }
                None => since(self.born),
            },
        }
    }

    /// Up to when was heard what was sent to a partition, or else to any other of its topic.
    fn heard(&self, (topic, partition): (&str, i32)) -> Option<i64> {
        let here = self.heard.get(&(topic.to_owned(), partition)).copied();
        let of_topic = self.heard.iter().filter(|((name, _), _)| name == topic);
        here.or_else(|| of_topic.map(|(_, sent)| *sent).max())
    }
}

/// Where to go on instead, if the broker, which has what is from `oldest` to before `end`, does not have what comes next.
fn in_reach((topic, partition): (&str, i32), next: i64, (oldest, end): (i64, i64)) -> Option<i64> {
    if next < oldest {
        let missed = oldest - next;
        error!(
            target: "kafka", topic, partition, next, oldest, missed,
            "the broker has removed {missed} messages that were not read (its retention): going on with what it has"
        );
    } else if next > end {
        warn!(
            target: "kafka", topic, partition, next, end,
            "the broker counts this topic's messages anew (was it made anew, or the broker's disk wiped?): reading all \
             that it has"
        );
    } else {
        return None;
    }
    Some(oldest)
}

/// The first offset of a message sent at or after `sent` (ms since 1970), if there is one.
fn since<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    (topic, partition): (&str, i32),
    sent: i64,
) -> KafkaResult<Option<i64>> {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_offset(topic, partition, Offset::Offset(sent))?;
    let found = consumer.offsets_for_times(wanted, PATIENCE)?;
    Ok(found.elements().first().and_then(|one| match one.offset() {
        Offset::Offset(first) => Some(first),
        _ => None,
    }))
}

/// One partition more, and the topic's id beside its position.
fn add(
    list: &mut TopicPartitionList,
    place: &TopicPartitionListElem<'_>,
    next: i64,
    id: Option<&str>,
) -> KafkaResult<()> {
    let mut one = list.add_partition(place.topic(), place.partition());
    if let Some(id) = id {
        one.set_metadata(note(id));
    }
    one.set_offset(Offset::Offset(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_that_the_broker_no_longer_has_goes_on_with_what_there_is() {
        let go_on = |next| in_reach(("runs", 0), next, (5, 9));
        assert_eq!([5, 7, 9].map(go_on), [None; 3]);
        // Removed by the broker, and counted anew.
        assert_eq!([4, 0, 10].map(go_on), [Some(5); 3]);
    }
}
