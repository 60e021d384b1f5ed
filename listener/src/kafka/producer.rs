//! Sends messages without waiting, and tells later which of them a broker has.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::statistics::Statistics;
use runledger_steps::{Step, reached};

use super::clock_watch::watch_clock;
use super::outage::Outage;
use super::properties::complaint;
use super::undelivered::{TOGETHER, Undelivered};
use super::{Properties, client_config};
use crate::{Error, Result};

/// Everything goes to this partition: without keys only one partition keeps messages in order.
const PARTITION: i32 = 0;

/// How long one look at the library takes.
const LOOK: Duration = Duration::from_millis(2);

/// One request under way at a time keeps the order when one has to be repeated.
const ORDERED: (&str, &str) = ("max.in.flight.requests.per.connection", "1");

/// The library learns the brokers from one of them, and waits half this time before it connects to another: by
/// default longer than a short job takes.
const SOON_CONNECTED: (&str, &str) = ("reconnect.backoff.ms", "20");

/// Where to publish, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSettings {
    /// Addresses to begin with, `host:port[,host:port…]`.
    pub brokers: String,
    /// After how long a message that no broker took is given back as undelivered.
    pub message_timeout: Duration,
    /// Any further settings of the Kafka library.
    pub properties: Properties,
}

impl ProducerSettings {
    /// Publish through `brokers`; messages are given back after 30 s.
    pub fn to(brokers: &str) -> Self {
        Self {
            brokers: brokers.into(),
            message_timeout: Duration::from_secs(30),
            properties: Properties::new(),
        }
    }
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The number that its sender gave it.
    pub token: u64,
    /// Whether a broker has it; else why not.
    pub result: std::result::Result<(), Undelivered>,
}

/// Publishes messages; never waits but in [`flush`](Self::flush).
pub struct Producer {
    settings: ProducerSettings,
    inner: Mutex<Arc<BaseProducer<Reports>>>,
}

impl Producer {
    /// A producer; the broker need not be there yet.
    ///
    /// # Errors
    /// [`Error::Kafka`] for a property that the library does not know.
    pub fn new(settings: &ProducerSettings) -> Result<Self> {
        Ok(Self {
            inner: Mutex::new(client(settings)?),
            settings: settings.clone(),
        })
    }

    fn inner(&self) -> Arc<BaseProducer<Reports>> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Goes on with a new client where the clock was set back: threads of the old one may wait for hours. What was under
    /// way has not arrived, as far as is known.
    fn outlive_clock(&self) -> Vec<Delivery> {
        let old = self.inner();
        if !old.context().is_stale.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let Ok(new) = client(&self.settings) else {
            return Vec::new();
        };
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = new;
        let reports = std::mem::take(&mut *old.context().lock());
        thread::spawn(move || drop(old));
        let why = || Undelivered::NotYet("the machine's clock was set back".into());
        let lost = |token| Delivery {
            token,
            result: Err(why()),
        };
        let mut deliveries = reports.deliveries;
        deliveries.extend(reports.under_way.into_iter().map(lost));
        deliveries
    }

    /// Hands one message over to the library. Its fate comes from
    /// [`deliveries`](Self::deliveries), under `token`, a number that names this message alone.
    ///
    /// # Errors
    /// [`Error::Kafka`] where the library takes no more now: its queue is full.
    pub fn send(&self, token: u64, topic: &str, payload: &[u8]) -> Result<()> {
        let record: BaseRecord<'_, (), [u8], Box<u64>> =
            BaseRecord::with_opaque_to(topic, Box::new(token))
                .partition(PARTITION)
                .payload(payload);
        let inner = self.inner();
        // Before the message is on its way: its report may come from another thread's poll.
        inner.context().lock().under_way.insert(token);
        let sent = inner.send(record);
        sent.or_else(|(error, _)| self.not_taken(&inner, token, &error, payload.len()))?;
        reached(Step::MessageSent);
        Ok(())
    }

    /// What the library never takes has its fate like any other; it is asked again for the rest.
    fn not_taken(
        &self,
        inner: &BaseProducer<Reports>,
        token: u64,
        error: &KafkaError,
        bytes: usize,
    ) -> Result<()> {
        let mut reports = inner.context().lock();
        reports.under_way.remove(&token);
        match Undelivered::of(error, bytes) {
            Undelivered::NotYet(_) => Err(self.error(error)),
            refused => {
                let result = Err(refused);
                reports.deliveries.push(Delivery { token, result });
                Ok(())
            }
        }
    }

    /// What has become known of messages since the last call. Does not wait. To be called
    /// now and then, also for the broker's absence to be noticed.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let mut all = self.outlive_clock();
        let inner = self.inner();
        loop {
            // The library tells of one batch at a time, often of one message only. What it has not told it keeps.
            inner.poll(Duration::ZERO);
            match std::mem::take(&mut inner.context().lock().deliveries) {
                none if none.is_empty() => return all,
                some => all.extend(some),
            }
        }
    }

    /// Waits until every message's fate is known, at most for `patience`, and returns the tokens
    /// of those still under way.
    pub fn flush(&self, patience: Duration) -> Vec<u64> {
        let deadline = Instant::now() + patience;
        let inner = self.inner();
        loop {
            // A look ends with its time, also when everything has been heard; the library's own `flush` takes long ones.
            let left = deadline.saturating_duration_since(Instant::now());
            inner.poll(left.min(LOOK));
            let under_way: Vec<u64> = inner.context().lock().under_way.iter().copied().collect();
            if under_way.is_empty() || left.is_zero() {
                return under_way;
            }
        }
    }

    fn error(&self, error: &KafkaError) -> Error {
        Error::Kafka {
            brokers: self.settings.brokers.clone(),
            reason: complaint(error),
        }
    }
}

/// A client of the library.
fn client(settings: &ProducerSettings) -> Result<Arc<BaseProducer<Reports>>> {
    let timeout = settings.message_timeout.as_millis().to_string();
    let together = TOGETHER.to_string();
    let ours = [
        ("message.timeout.ms", timeout.as_str()),
        ("linger.ms", "1"),
        ("batch.size", together.as_str()),
        SOON_CONNECTED,
        ORDERED,
    ];
    let brokers = &settings.brokers;
    let client = client_config(brokers, &ours, &settings.properties)
        .create_with_context(Reports::of(brokers))
        .map_err(|error| Error::Kafka {
            brokers: brokers.clone(),
            reason: complaint(&error),
        })?;
    let client: Arc<BaseProducer<Reports>> = Arc::new(client);
    watch_clock(&client, |client: &BaseProducer<Reports>| {
        client.context().is_stale.store(true, Ordering::Relaxed);
    });
    Ok(client)
}

#[derive(Default)]
struct Collected {
    under_way: BTreeSet<u64>,
    deliveries: Vec<Delivery>,
}

/// Collects the library's reports.
struct Reports {
    outage: Outage,
    collected: Mutex<Collected>,
    /// The clock was set back: another client is to take this one's place.
    is_stale: AtomicBool,
}

impl Reports {
    fn of(brokers: &str) -> Self {
        Self {
            outage: Outage::of(brokers, "nothing is published"),
            collected: Mutex::default(),
            is_stale: AtomicBool::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        match self.collected.lock() {
            Ok(collected) => collected,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.outage.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.outage.stats(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.outage.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, report: &DeliveryResult<'_>, token: Box<u64>) {
        let result = match report {
            Ok(_) => Ok(()),
            Err((error, message)) => {
                let bytes = message.payload().map_or(0, <[u8]>::len);
                Err(Undelivered::of(error, bytes))
            }
        };
        if result.is_ok() {
            self.outage.over();
        }
        let mut collected = self.lock();
        collected.under_way.remove(&*token);
        collected.deliveries.push(Delivery {
            token: *token,
            result,
        });
    }
}
