//! What the library tells a member of a group, and what is answered: above all, which partitions are its own from now on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, info, warn};

use super::beginning::{Begin, Beginning};
use super::joining::Joining;
use super::members::Members;
use super::outage::Outage;
use super::topics::note;
use crate::monitor::Lag;

/// Time between two tries to find out where to begin.
const AGAIN: Duration = Duration::from_secs(1);

/// Gives each partition its first position, and commits it at once: "now" must not mean a later
/// now after a restart.
pub(super) struct Positions {
    outage: Outage,
    joining: Joining,
    members: Members,
    begin: Begin,
    /// The ids of the topics in which this client's positions are.
    read: Mutex<BTreeMap<String, String>>,
    given: Mutex<Option<Given>>,
    /// The broker does not have what comes next in a partition.
    is_lost: AtomicBool,
    /// The clock was set back, or a topic was made anew.
    is_stale: AtomicBool,
    /// How often reading was begun.
    beginnings: AtomicU64,
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
    pub(super) fn of(brokers: &str, group: &str, begin: Begin) -> Self {
        Self {
            outage: Outage::of(brokers, "nothing is read"),
            joining: Joining::default(),
            members: Members::of(group),
            begin,
            read: Mutex::default(),
            given: Mutex::default(),
            is_lost: AtomicBool::default(),
            is_stale: AtomicBool::default(),
            beginnings: AtomicU64::default(),
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

    /// How often reading was begun.
    pub(super) fn beginnings(&self) -> u64 {
        self.beginnings.load(Ordering::Relaxed)
    }

    /// What is to be done between messages, and takes no longer than a broker's answer.
    pub(super) fn attend(&self, consumer: &BaseConsumer<Self>) {
        self.begin_again(consumer);
        self.members.look(consumer);
        if self.begin.topics.is_one_new(consumer, &self.read()) {
            self.be_stale();
        }
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
        match self.try_to_assign(consumer, given) {
            Ok(Some(Beginning { missed, ids, .. })) => {
                self.missed.fetch_add(missed, Ordering::Relaxed);
                self.beginnings.fetch_add(1, Ordering::Relaxed);
                self.read().extend(ids);
                self.begin.topics.begun();
                info!(target: "kafka", partitions = given.count(), "joined the group");
                self.members.changed();
                Ok(())
            }
            Ok(None) => {
                self.be_stale();
                Ok(())
            }
            Err(error) => {
                let again = Instant::now() + AGAIN;
                let mut waiting = self.given();
                let earlier = waiting.take().map(|given| given.partitions);
                let partitions = both(given, earlier.unwrap_or_default());
                *waiting = Some(Given { partitions, again });
                Err(error)
            }
        }
    }

    fn try_to_assign(
        &self,
        consumer: &BaseConsumer<Self>,
        given: &TopicPartitionList,
    ) -> KafkaResult<Option<Beginning>> {
        let beginning = self.begin.find(consumer, given, &self.read())?;
        if let Some(beginning) = &beginning {
            begin(consumer, beginning)?;
        }
        Ok(beginning)
    }

    fn read(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to stand beside positions in a topic.
    pub(super) fn beside(&self, topic: &str) -> Option<String> {
        self.read().get(topic).map(|id| note(id))
    }
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

/// The partitions of two lists, without where to begin.
fn both(one: &TopicPartitionList, other: TopicPartitionList) -> TopicPartitionList {
    let mut all = without(&other, one);
    for partition in one.elements() {
        all.add_partition(partition.topic(), partition.partition());
    }
    all
}

fn without(all: &TopicPartitionList, taken: &TopicPartitionList) -> TopicPartitionList {
    let mut left = TopicPartitionList::new();
    for one in all.elements() {
        let (topic, partition) = (one.topic(), one.partition());
        if taken.find_partition(topic, partition).is_none() {
            left.add_partition(topic, partition);
        }
    }
    left
}

fn begin(
    consumer: &BaseConsumer<Positions>,
    Beginning { all, new, .. }: &Beginning,
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
        let waiting = self.given().take();
        let left = waiting.map(|given| Given {
            partitions: without(&given.partitions, partitions),
            ..given
        });
        *self.given() = left.filter(|given| given.partitions.count() > 0);
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

    fn list(partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition("runs", *partition);
        }
        list
    }

    fn numbers(list: &TopicPartitionList) -> Vec<i32> {
        list.elements().iter().map(|one| one.partition()).collect()
    }

    #[test]
    fn partitions_that_wait_to_be_begun_are_kept_but_for_those_that_others_have_now() {
        assert_eq!(numbers(&both(&list(&[1, 2]), list(&[0, 1]))), [0, 1, 2]);
        assert_eq!(numbers(&without(&list(&[0, 1, 2]), &list(&[1, 3]))), [0, 2]);
    }
}
