//! Where a group begins to read a partition: that it has never read, or of which the broker no longer has what comes next.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, error, info, warn};

use super::joining::Joining;
use super::members::Members;
use super::outage::Outage;
use crate::monitor::Lag;

/// Where to begin where no position has been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    Now,
    /// With the oldest message that the broker still has.
    Earliest,
    /// With the first message sent at or after this moment, in milliseconds since 1970.
    Moment(i64),
}

/// How long the broker may take to say what a position is.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two tries to find out where to begin.
const AGAIN: Duration = Duration::from_secs(1);

/// Gives each partition its first position, and commits it at once: "now" must not mean a later
/// now after a restart.
pub(super) struct Positions {
    outage: Outage,
    joining: Joining,
    members: Members,
    start: Start,
    given: Mutex<Option<Given>>,
    /// The broker does not have what comes next in a partition.
    is_lost: AtomicBool,
    /// The clock was set back.
    is_stale: AtomicBool,
    lag: Mutex<Lag>,
    /// Messages that the broker removed before they were read, since somebody asked.
    missed: AtomicU64,
}

/// Partitions that were given to us and that we could not begin to read. The library lets the group wait for us
/// meanwhile: leaving it and joining again while the broker is away may take minutes.
struct Given {
    partitions: TopicPartitionList,
    again: Instant,
}

impl Positions {
    pub(super) fn of(brokers: &str, group: &str, start: Start) -> Self {
        Self {
            outage: Outage::of(brokers, "nothing is read"),
            joining: Joining::default(),
            members: Members::of(group),
            start,
            given: Mutex::default(),
            is_lost: AtomicBool::default(),
            is_stale: AtomicBool::default(),
            lag: Mutex::default(),
            missed: AtomicU64::default(),
        }
    }

    /// How far the group is behind, as the library last told.
    pub(super) fn lag(&self) -> Lag {
        self.lag.lock().map(|lag| lag.clone()).unwrap_or_default()
    }

    /// How many messages the broker removed before they were read, since the last call.
    pub(super) fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }

    fn given(&self) -> MutexGuard<'_, Option<Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another client is to take this one's place.
    pub(super) fn be_stale(&self) {
        self.is_stale.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// What is to be done between messages, and takes no longer than a broker's answer.
    pub(super) fn attend(&self, consumer: &BaseConsumer<Self>) {
        self.begin_again(consumer);
        self.members.look(consumer);
    }

    /// Tries again to begin to read partitions where that has failed, if it is time; and begins anew where the broker
    /// no longer has what comes next: which partition that is, the library does not tell.
    fn begin_again(&self, consumer: &BaseConsumer<Self>) {
        if self.is_lost.swap(false, Ordering::Relaxed)
            && let Ok(partitions) = consumer.assignment()
            && give_back(consumer, &partitions).is_ok()
        {
            let again = Instant::now();
            *self.given() = Some(Given { partitions, again });
        }
        let is_due = |given: &mut Given| given.again <= Instant::now();
        let due = self.given().take_if(is_due);
        if let Some(Given { partitions, .. }) = due
            && let Err(error) = self.assign(consumer, &partitions)
        {
            debug!(target: "kafka", "can't find where to begin: {error}");
        }
    }

    /// Begins to read these partitions, or keeps them for another try.
    fn assign(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) -> KafkaResult<()> {
        let begun = self
            .with_positions(consumer, given)
            .and_then(|(all, new, missed)| begin(consumer, &all, &new).map(|()| missed));
        match &begun {
            Ok(missed) => {
                self.missed.fetch_add(*missed, Ordering::Relaxed);
                info!(target: "kafka", partitions = given.count(), "joined the group");
                self.members.changed();
            }
            Err(_) => {
                *self.given() = Some(Given {
                    partitions: given.clone(),
                    again: Instant::now() + AGAIN,
                });
            }
        }
        begun.map(drop)
    }

    /// All partitions with where to go on, of them those that begin now, and how many messages these have missed.
    fn with_positions(
        &self,
        consumer: &BaseConsumer<Self>,
        given: &TopicPartitionList,
    ) -> KafkaResult<(TopicPartitionList, TopicPartitionList, u64)> {
        let mut all = consumer.committed_offsets(given.clone(), PATIENCE)?;
        let (mut new, mut missed) = (TopicPartitionList::new(), 0);
        for mut one in all.elements() {
            let kept = consumer.fetch_watermarks(one.topic(), one.partition(), PATIENCE)?;
            let place = (one.topic(), one.partition());
            let first = match one.offset() {
                Offset::Offset(next) => {
                    missed += u64::try_from(kept.0 - next).unwrap_or(0);
                    in_reach(place, next, kept)
                }
                _ => Some(self.first(consumer, place, kept)?),
            };
            if let Some(first) = first {
                new.add_partition_offset(one.topic(), one.partition(), Offset::Offset(first))?;
                one.set_offset(Offset::Offset(first))?;
            }
        }
        Ok((std::mem::take(&mut all), new, missed))
    }

    fn first(
        &self,
        consumer: &BaseConsumer<Self>,
        (topic, partition): (&str, i32),
        (oldest, next): (i64, i64),
    ) -> KafkaResult<i64> {
        match self.start {
            Start::Now => Ok(next),
            Start::Earliest => Ok(oldest),
            Start::Moment(sent) => {
                let found = since(consumer, topic, partition, sent)?;
                Ok(found.unwrap_or(next))
            }
        }
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
fn since(
    consumer: &BaseConsumer<Positions>,
    topic: &str,
    partition: i32,
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

/// Only of the partitions that this member reads.
fn lag_in(statistics: &Statistics) -> Lag {
    let partitions = statistics.topics.iter().flat_map(|(topic, about)| {
        let partitions = about.partitions.values();
        partitions
            .map(move |partition| (topic.clone(), partition.partition, partition.consumer_lag))
    });
    partitions.filter(|(_, _, lag)| *lag >= 0).collect()
}

fn begin(
    consumer: &BaseConsumer<Positions>,
    all: &TopicPartitionList,
    new: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(all)?,
        _ => consumer.assign(all)?,
    }
    if new.count() > 0 {
        consumer.commit(new, CommitMode::Async)?;
    }
    Ok(())
}

fn give_back(consumer: &BaseConsumer<Positions>, taken: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(taken),
        _ => consumer.unassign(),
    }
}

impl ConsumerContext for Positions {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.outage.over();
            self.joining.over();
            if let Err(error) = self.assign(consumer, partitions) {
                warn!(target: "kafka", "can't find where to begin, trying again: {error}");
            }
            return;
        }
        // Others may have them now.
        *self.given() = None;
        if let Err(error) = give_back(consumer, partitions) {
            warn!(target: "kafka", "giving partitions back: {error}");
        }
    }
}

impl ClientContext for Positions {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.outage.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        if let Ok(mut lag) = self.lag.lock() {
            *lag = lag_in(&statistics);
        }
        self.joining.look(&statistics);
        self.outage.stats(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => self.is_lost.store(true, Ordering::Relaxed),
            _ => self.outage.error(error, reason),
        }
    }
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
