//! Reads topics as a member of a group; a message counts as read when its reader says so.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::Offset;
use runledger_steps::{Step, reached};
use tracing::{debug, trace, warn};

use super::beginning::Begin;
pub use super::beginning::Start;
use super::clock_watch::watch_clock;
use super::members::CLIENT_ID;
use super::position::Positions;
use super::properties::complaint;
use super::topics::Topics;
use super::{Properties, client_config};
use crate::message::{Heard, Message, now_ms};
use crate::monitor::Lag;
use crate::{Error, Result};

/// What to read, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// Addresses to begin with, `host:port[,host:port…]`.
    pub brokers: String,
    /// The topics to read; they may come into being later.
    pub topics: Vec<String>,
    /// The group whose members share the messages.
    pub group_id: String,
    /// Where to begin in a partition of which the group has read nothing yet.
    pub start: Start,
    /// Any further settings of the Kafka library.
    pub properties: Properties,
}

/// A member of a consumer group.
pub struct Consumer {
    settings: ConsumerSettings,
    begin: Begin,
    inner: Mutex<Arc<Member>>,
    /// Of the messages that were last given out, some were read before partitions were begun, and some after.
    is_mixed: AtomicBool,
}

type Member = BaseConsumer<Positions>;

/// Positions are committed in the background, but only those that were stored. That the broker no longer has what is at
/// a position is told as an error, so that it can be said what was missed (`position.rs`). A backlog stays with the
/// broker but for a few megabytes: the library's own limits are 64 MB a consumer and 100,000 messages, of which each
/// takes some hundred bytes more than what it says. One message that is larger than that is taken all the same, and so
/// is one larger than the library's own 100 MB: it would hold up all behind it. A topic that comes into being is seen
/// after half a minute, not after the library's five.
const OURS: [(&str, &str); 10] = [
    ("client.id", CLIENT_ID),
    ("enable.auto.commit", "true"),
    ("auto.commit.interval.ms", "1000"),
    ("auto.offset.reset", "error"),
    ("allow.auto.create.topics", "true"),
    ("queued.max.messages.kbytes", "4096"),
    ("queued.min.messages", "2000"),
    ("fetch.max.bytes", "4194304"),
    ("receive.message.max.bytes", "1000000000"),
    ("topic.metadata.refresh.interval.ms", "30000"),
];

/// Whoever takes the place of a member that was killed is given nothing until the broker misses that one: after 10 s as
/// with DAMNIT, not after the library's 45 s. In the newer protocol that is the broker's to say.
const SOON_MISSED: (&str, &str) = ("session.timeout.ms", "10000");

/// Not for the user to change: a position stored before its effect loses messages.
const EFFECT_FIRST: (&str, &str) = ("enable.auto.offset.store", "false");

/// So many bytes are taken at once, and the message that goes beyond.
const BYTES_AT_ONCE: usize = 16 << 20;

/// So often it is seen whether partitions wait to be begun.
const LOOK: Duration = Duration::from_millis(500);

impl Consumer {
    /// Joins the group; the broker need not be there yet.
    ///
    /// # Errors
    /// [`Error::Kafka`] for a property that the library does not know, or no topic.
    pub fn new(settings: ConsumerSettings) -> Result<Self> {
        Self::having_heard(Heard::new(), settings)
    }

    /// [`new`](Self::new) for a group that knows itself up to when it has read: where the broker has forgotten its
    /// position (it was away for longer than `offsets.retention.minutes`, or the topic was made anew), it goes on there
    /// instead of [`Start::Now`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn having_heard(heard: Heard, settings: ConsumerSettings) -> Result<Self> {
        let begin = Begin {
            start: settings.start,
            topics: Arc::new(Topics::of(&settings.topics)),
            heard: Arc::new(heard),
            born: now_ms(),
        };
        Ok(Self {
            inner: Mutex::new(member(&settings, &begin)?),
            settings,
            begin,
            is_mixed: AtomicBool::default(),
        })
    }

    /// Goes on with other settings, as another member, and leaves the old group.
    ///
    /// # Errors
    /// [`Error::Kafka`] for settings that cannot be used; it goes on as it was.
    pub fn change(
        &mut self,
        heard: Heard,
        settings: ConsumerSettings,
        patience: Duration,
    ) -> Result<()> {
        let new = Self::having_heard(heard, settings)?;
        std::mem::replace(self, new).close(patience);
        Ok(())
    }

    /// What it reads, and as whom.
    pub fn settings(&self) -> &ConsumerSettings {
        &self.settings
    }

    fn inner(&self) -> Arc<Member> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clone()
    }

    /// Goes on as a new member where the old one is of no use: threads of one may wait for hours where the clock was set
    /// back, and one that knew a topic that was made anew does not find its way in the new one.
    fn outlive(&self) -> Result<()> {
        if !self.inner().context().is_stale() {
            return Ok(());
        }
        let new = member(&self.settings, &self.begin)?;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *inner, new);
        thread::spawn(move || drop(old));
        Ok(())
    }

    /// The next messages: waits for the first at most for `patience`, and takes along what else
    /// is there already, `at_most` in all and fewer of large ones. A broker that does not answer is a long silence.
    ///
    /// # Errors
    /// [`Error::Kafka`] only where this client can't go on; a new one may.
    pub fn poll(&self, patience: Duration, at_most: usize) -> Result<Vec<Message>> {
        self.outlive()?;
        let Some(first) = self.next(patience)? else {
            return Ok(Vec::new());
        };
        let beginnings = || self.inner().context().beginnings();
        let (mut bytes, begun) = (first.payload.len(), beginnings());
        let mut messages = vec![first];
        while messages.len() < at_most && bytes < BYTES_AT_ONCE {
            let Some(message) = self.next(Duration::ZERO)? else {
                break;
            };
            bytes += message.payload.len();
            messages.push(message);
        }
        let is_mixed = beginnings() != begun;
        self.is_mixed.store(is_mixed, Ordering::Relaxed);
        Ok(messages)
    }

    /// The next message within `patience`; the library also returns early, for its own affairs.
    fn next(&self, patience: Duration) -> Result<Option<Message>> {
        let until = Instant::now() + patience;
        let inner = self.inner();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            inner.context().attend(&inner);
            match inner.poll(left.min(LOOK)) {
                Some(Ok(message)) => return Ok(Some(owned(&message))),
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return Err(failed(&self.settings.brokers, &error));
                }
                // Told by the context, once.
                Some(Err(error)) => trace!(target: "kafka", "{error}"),
                None => {}
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    /// These messages' effects are on disk: the group goes on behind them.
    ///
    /// Where some were read before partitions were begun, their positions may be those in an earlier topic: none is told
    /// then, and the group goes on behind what is read next.
    pub fn store(&self, messages: &[Message]) {
        let mut last = BTreeMap::new();
        for message in messages {
            last.insert((&message.topic, message.partition), message.offset + 1);
        }
        if last.is_empty() || self.is_mixed.swap(false, Ordering::Relaxed) {
            return;
        }
        let inner = self.inner();
        let mut positions = TopicPartitionList::with_capacity(last.len());
        for ((topic, partition), next) in last {
            let mut position = positions.add_partition(topic, partition);
            if let Some(beside) = inner.context().beside(topic) {
                position.set_metadata(beside);
            }
            if let Err(error) = position.set_offset(Offset::Offset(next)) {
                debug!(target: "kafka", topic, next, "{error}");
            }
        }
        // A partition that went to another member meanwhile: it reads the messages again.
        if let Err(error) = inner.store_offsets(&positions) {
            debug!(target: "kafka", ?positions, "{error}");
        }
        reached(Step::OffsetStored);
    }

    /// How far the group has read, as the broker knows it: `(topic, partition, next offset)` of
    /// each partition that this member reads.
    ///
    /// # Errors
    /// [`Error::Kafka`] where the broker does not answer within `patience`.
    pub fn committed(&self, patience: Duration) -> Result<Vec<(String, i32, Option<i64>)>> {
        self.inner()
            .committed(patience)
            .map(|positions| listed(&positions))
            .map_err(|error| failed(&self.settings.brokers, &error))
    }

    /// How far the group is behind in each partition that this member reads; told by the library every few seconds.
    pub fn lag(&self) -> Lag {
        self.inner().context().lag()
    }

    /// How many messages the broker removed before they were read (its retention), since the last call.
    pub fn take_missed(&self) -> u64 {
        self.inner().context().take_missed()
    }

    /// Whether this member has been given its share of the partitions.
    pub fn has_joined(&self) -> bool {
        self.inner()
            .assignment()
            .is_ok_and(|share| share.count() > 0)
    }

    /// Commits what was stored and leaves the group; after `patience` without waiting for the
    /// broker's answer. Returns whether it answered.
    pub fn close(self, patience: Duration) -> bool {
        let Self {
            settings, inner, ..
        } = self;
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            drop(inner);
            // Nobody waits any more if the broker took too long.
            let _ = done.send(());
        });
        let left = wait.recv_timeout(patience).is_ok();
        if !left {
            warn!(target: "kafka", brokers = settings.brokers, "left the group without the broker's answer");
        }
        left
    }
}

/// A client that is to be a member of the group.
fn member(settings: &ConsumerSettings, begin: &Begin) -> Result<Arc<Member>> {
    let failed = |error| failed(&settings.brokers, &error);
    let positions = Positions::of(&settings.brokers, &settings.group_id, begin.clone());
    let member = configuration(settings)
        .create_with_context(positions)
        .map_err(failed)?;
    let member: Arc<Member> = Arc::new(member);
    let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
    member.subscribe(&topics).map_err(failed)?;
    watch_clock(&member, |member: &Member| {
        warn!(target: "kafka", "the machine's clock was set back: reading as a new member of the group");
        member.context().be_stale();
        // Whoever waits for a message looks up when this is answered.
        drop(member.assignment());
    });
    Ok(member)
}

fn configuration(settings: &ConsumerSettings) -> ClientConfig {
    let mut ours = OURS.to_vec();
    if !settings.properties.contains_key("group.protocol") {
        ours.push(SOON_MISSED);
    }
    let mut config = client_config(&settings.brokers, &ours, &settings.properties);
    config.set("group.id", &settings.group_id);
    config.set(EFFECT_FIRST.0, EFFECT_FIRST.1);
    config
}

fn owned(message: &BorrowedMessage<'_>) -> Message {
    Message {
        topic: message.topic().into(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        payload: message.payload().unwrap_or_default().into(),
    }
}

fn listed(positions: &TopicPartitionList) -> Vec<(String, i32, Option<i64>)> {
    let next = |offset| match offset {
        Offset::Offset(next) => Some(next),
        _ => None,
    };
    positions
        .elements()
        .iter()
        .map(|one| (one.topic().into(), one.partition(), next(one.offset())))
        .collect()
}

fn failed(brokers: &str, error: &KafkaError) -> Error {
    Error::Kafka {
        brokers: brokers.into(),
        reason: complaint(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(properties: &[(&str, &str)]) -> ConsumerSettings {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ConsumerSettings {
            brokers: "127.0.0.1:1".into(),
            topics: vec!["runs".into()],
            group_id: "listeners".into(),
            start: Start::Earliest,
            properties: properties.iter().map(owned).collect(),
        }
    }

    #[test]
    fn a_member_that_died_is_missed_soon_unless_a_site_says_otherwise() {
        let session = |properties| {
            let config = configuration(&with(properties));
            config.get("session.timeout.ms").map(str::to_owned)
        };
        assert_eq!(session(&[]).as_deref(), Some("10000"));
        let longer = session(&[("session.timeout.ms", "45000")]);
        assert_eq!(longer.as_deref(), Some("45000"));
    }

    #[test]
    fn a_site_may_choose_the_newer_protocol() {
        let newer = Consumer::new(with(&[("group.protocol", "consumer")]));
        assert!(newer.is_ok(), "{:?}", newer.err());
    }
}
