//! Publishes without ever holding a job up: what no broker takes waits in the ledger of its database.

mod outbox;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runledger_steps::{Step, reached};
use tracing::debug;

use crate::Result;
use crate::kafka::{Delivery, Producer, ProducerSettings, Properties, Undelivered};
use crate::ledger::Ledger;
use crate::updates::Update;
use outbox::forget;

/// How long a message may be under way before it goes to the outbox.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(8);
/// A broker that has taken nothing at all after this long is taken to be away.
const SILENCE: Duration = Duration::from_secs(3);
/// How often what waits is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// So many messages are under way at a time: what is more waits on disk and takes no memory, however long no broker takes any.
const UNDER_WAY: usize = 2000;
/// How soon deliveries are looked at while messages are under way or wait; else for the broker's absence.
pub(crate) const SOON: Duration = Duration::from_millis(200);
const LATER: Duration = Duration::from_secs(5);

/// Where to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherSettings {
    /// `host:port`; None: nothing is published at all.
    pub broker: Option<String>,
    /// Any further settings of the Kafka library.
    pub properties: Properties,
}

/// Publishes messages about databases.
pub struct Publisher {
    producer: Option<Producer>,
    under_way: BTreeMap<u64, Letter>,
    next_token: u64,
    delivered: u64,
    /// Databases whose outbox may not be empty, and when to look next.
    held: BTreeMap<PathBuf, Instant>,
    /// Whether some of them wait for nothing but room under way.
    wait_for_room: bool,
}

/// A message under way.
struct Letter {
    database_dir: PathBuf,
    topic: String,
    payload: Vec<u8>,
    /// Its place in the outbox, if it comes from there.
    waiting: Option<i64>,
}

impl Letter {
    /// Those of a database that go to one topic keep their order.
    fn line(&self) -> (PathBuf, String) {
        (self.database_dir.clone(), self.topic.clone())
    }
}

impl Publisher {
    /// A publisher; the broker need not be there.
    ///
    /// # Errors
    /// [`crate::Error::Kafka`] for a property that the Kafka library does not know.
    pub fn new(settings: &PublisherSettings) -> Result<Self> {
        let producer = settings.broker.as_ref().map(|brokers| {
            Producer::new(&ProducerSettings {
                brokers: brokers.clone(),
                message_timeout: MESSAGE_TIMEOUT,
                properties: settings.properties.clone(),
            })
        });
        Ok(Self {
            producer: producer.transpose()?,
            under_way: BTreeMap::new(),
            next_token: 0,
            delivered: 0,
            held: BTreeMap::new(),
            wait_for_room: false,
        })
    }

    /// Whether there is a broker to publish to.
    pub fn is_enabled(&self) -> bool {
        self.producer.is_some()
    }

    /// Sends a message about a database. It is under way then, or in the database's outbox.
    pub fn publish(&mut self, database_dir: &Path, topic: &str, update: &Update) {
        let letter = Letter {
            database_dir: database_dir.to_path_buf(),
            topic: topic.to_owned(),
            payload: update.payload(),
            waiting: None,
        };
        if self.held.contains_key(database_dir) {
            // Behind what waits already.
            self.keep(vec![letter]);
        } else {
            self.send(letter);
        }
    }

    /// Sends a message that nobody would send again: it is on disk before this returns, and goes from there when
    /// a broker has it. Where the broker goes away just then, it may overtake what [`publish`](Self::publish) sent before.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`]: it is not on disk, and was not sent.
    pub fn publish_lasting(
        &mut self,
        database_dir: &Path,
        topic: &str,
        update: &Update,
    ) -> Result<()> {
        if self.is_enabled() {
            let message = (topic.to_owned(), update.payload());
            Ledger::open(database_dir)?.keep_messages(&[message])?;
            self.send_kept(database_dir);
        }
        Ok(())
    }

    fn send(&mut self, letter: Letter) {
        let Some(producer) = &self.producer else {
            return;
        };
        if !self.has_room() {
            self.wait_for_room = true;
            self.keep(vec![letter]);
            return;
        }
        let token = self.next_token;
        self.next_token += 1;
        match producer.send(token, &letter.topic, &letter.payload) {
            Ok(()) => {
                self.under_way.insert(token, letter);
            }
            Err(error) => {
                debug!("a message waits: {error}");
                self.keep(vec![letter]);
            }
        }
    }

    /// Takes note of what was delivered and what was not, and tries again what waits. Does not wait; returns how
    /// soon to call it again.
    pub fn advance(&mut self) -> Duration {
        let before = self.delivered;
        self.take_note();
        self.send_due(before);
        match self.under_way.is_empty() && self.held.is_empty() {
            true => LATER,
            false => SOON,
        }
    }

    /// Tries again what has waited long enough, or waited for room which there is since so many were delivered.
    fn send_due(&mut self, delivered_before: u64) {
        let now = Instant::now();
        let is_room_made =
            self.delivered > delivered_before && self.under_way.len() < UNDER_WAY / 2;
        if self.wait_for_room && is_room_made {
            self.wait_for_room = false;
            self.held.values_mut().for_each(|when| *when = now);
        }
        let due: Vec<PathBuf> = self
            .held
            .iter()
            .filter(|(_, when)| **when <= now)
            .map(|(dir, _)| dir.clone())
            .collect();
        for dir in due {
            self.held.remove(&dir);
            self.drain(&dir);
        }
    }

    fn has_room(&self) -> bool {
        self.under_way.len() < UNDER_WAY
    }

    fn take_note(&mut self) {
        let Some(producer) = &self.producer else {
            return;
        };
        let mut failed: BTreeMap<u64, Letter> = BTreeMap::new();
        let mut refused = Vec::new();
        let mut delivered: BTreeMap<PathBuf, Vec<i64>> = BTreeMap::new();
        for Delivery { token, result } in producer.deliveries() {
            let Some(letter) = self.under_way.remove(&token) else {
                continue;
            };
            match result {
                Ok(()) => {
                    self.delivered += 1;
                    let ids = delivered.entry(letter.database_dir).or_default();
                    ids.extend(letter.waiting);
                }
                Err(Undelivered::NotYet(reason)) => {
                    debug!(topic = letter.topic, "a message waits: {reason}");
                    failed.insert(token, letter);
                }
                Err(why) => refused.push((letter, why)),
            }
        }
        if delivered.values().any(|ids| !ids.is_empty()) {
            reached(Step::MessageDelivered);
        }
        forget(delivered);
        for (letter, why) in refused {
            self.part(letter, &why);
        }
        self.hold(failed);
    }

    /// What follows a message that was not delivered is sent once more behind it, even if it should arrive now:
    /// what is heard last is true. What goes to other topics is not concerned.
    fn hold(&mut self, mut failed: BTreeMap<u64, Letter>) {
        let stuck: BTreeSet<(PathBuf, String)> = failed.values().map(Letter::line).collect();
        let (followers, others) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, letter)| stuck.contains(&letter.line()));
        self.under_way = others;
        failed.extend(followers);
        self.keep(failed.into_values().collect());
    }

    /// Waits for what is under way; returns how many still are.
    fn flush(&mut self, patience: Duration) -> usize {
        let producer = self.producer.as_ref();
        let left = producer.map_or(0, |producer| producer.flush(patience).len());
        self.take_note();
        left
    }

    /// Waits until all is delivered, at most for `patience` and much less where no broker answers; what is
    /// left then waits in the outboxes. Returns how many databases have such messages.
    pub fn close(mut self, patience: Duration) -> usize {
        let end = Instant::now() + patience;
        let mut before = self.delivered;
        let mut left = self.flush(SILENCE.min(patience));
        if left > 0 && self.delivered > 0 {
            left = self.flush(end.saturating_duration_since(Instant::now()));
        }
        while self.wait_for_room && self.delivered > before && Instant::now() < end {
            self.send_due(before);
            before = self.delivered;
            left = self.flush(end.saturating_duration_since(Instant::now()));
        }
        debug!(left, "publisher closed");
        let rest: Vec<Letter> = std::mem::take(&mut self.under_way).into_values().collect();
        self.keep(rest);
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::EmbeddedBroker;

    fn to(broker: &str) -> PublisherSettings {
        PublisherSettings {
            broker: Some(broker.into()),
            properties: Properties::new(),
        }
    }

    fn update(id: &str) -> Update {
        Update::ProcessingFinished {
            processing_id: id.into(),
        }
    }

    fn waiting(dir: &Path) -> Vec<String> {
        let messages = Ledger::open(dir).unwrap().waiting_messages().unwrap();
        messages
            .into_iter()
            .map(|message| String::from_utf8(message.payload).unwrap())
            .collect()
    }

    #[test]
    fn what_no_broker_takes_waits_in_order_and_goes_out_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::new(&to("127.0.0.1:1")).unwrap();
        for id in ["a", "b", "c"] {
            publisher.publish(folder.path(), "test.damnit.db-0", &update(id));
        }
        publisher.close(Duration::from_secs(1));
        let kept = waiting(folder.path());
        assert_eq!(kept.len(), 3);
        assert!(
            kept[0].contains("\"a\"") && kept[2].contains("\"c\""),
            "{kept:?}"
        );

        let broker = EmbeddedBroker::start(&["test.damnit.db-0"]).unwrap();
        let mut publisher = Publisher::new(&to(&broker.address())).unwrap();
        publisher.drain(folder.path());
        // A second call does not send what is under way.
        publisher.drain(folder.path());
        assert_eq!(publisher.under_way.len(), 3);
        publisher.close(Duration::from_secs(20));
        assert_eq!(waiting(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn what_somebody_wrote_into_the_ledger_does_not_go_to_other_topics() {
        let folder = tempfile::tempdir().unwrap();
        let messages = ["test.r2d2", "test.damnit.db-0"].map(|to| (to.to_owned(), b"{}".to_vec()));
        let mut ledger = Ledger::open(folder.path()).unwrap();
        ledger.keep_messages(&messages).unwrap();
        let mut publisher = Publisher::new(&to("127.0.0.1:1")).unwrap();
        publisher.drain(folder.path());
        let topics = publisher
            .under_way
            .values()
            .map(|letter| letter.topic.as_str());
        assert!(topics.eq(["test.damnit.db-0"]));
        assert_eq!(ledger.waiting_messages().unwrap().len(), 1);
    }

    #[test]
    fn without_a_broker_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let none = PublisherSettings {
            broker: None,
            properties: Properties::new(),
        };
        let mut publisher = Publisher::new(&none).unwrap();
        publisher.publish(folder.path(), "test.damnit.db-0", &update("a"));
        assert_eq!(publisher.close(Duration::from_secs(1)), 0);
        assert!(!folder.path().join("ledger.sqlite").exists());
    }
}
