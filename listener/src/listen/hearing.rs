//! From Kafka into the inbox: on disk before Kafka hears that we have it.

use std::time::{Duration, Instant};

use runledger_context::run::{RunData, RunId};
use tracing::warn;

use super::{Listener, ROUND};
use crate::kafka::{Consumer, ConsumerSettings};
use crate::listener_db::Sorted;
use crate::message::{Message, now_ms};
use crate::notification;
use crate::settings::NotificationSettings;
use crate::{Error, Result};

/// How long one look at the broker takes; a message that comes is there at once.
const LOOK: Duration = Duration::from_millis(200);
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// How many messages are taken at once.
const AT_ONCE: usize = 2000;

impl Listener {
    pub(super) fn consumer_settings(&self) -> ConsumerSettings {
        let set = &self.settings.notifications;
        let group_id = match set.group_id.as_str() {
            "" => format!(
                "xfel-da-damnit-{}",
                self.settings.dir.to_string_lossy().replace('/', "_")
            ),
            named => named.to_owned(),
        };
        ConsumerSettings {
            brokers: set.brokers.join(","),
            topics: set.topics.clone(),
            group_id,
            start: set.start_from.0,
            properties: set.properties.clone(),
        }
    }

    /// Takes what came into the inbox; only then Kafka hears that we have it. A backlog is taken first and handled
    /// then, so that much of it is handled at once.
    pub(super) fn hear(&mut self, consumer: &Consumer) -> Result<()> {
        let (begun, mut patience) = (Instant::now(), self.look());
        loop {
            // What could not be kept last time comes first: Kafka does not give it out again.
            if self.heard.is_empty() {
                self.heard = consumer.poll(patience, AT_ONCE)?;
            }
            self.keep()?;
            consumer.store(&self.heard);
            let is_all = self.heard.len() < AT_ONCE || begun.elapsed() > ROUND;
            self.heard.clear();
            if is_all {
                return Ok(());
            }
            patience = Duration::ZERO;
        }
    }

    /// A listener to which nothing is left to do wakes up for what comes, and hardly else.
    fn look(&self) -> Duration {
        match self.db.depth() {
            Ok(0) => IDLE_LOOK,
            _ => LOOK,
        }
    }

    fn keep(&mut self) -> Result<()> {
        let settings = &self.settings.notifications;
        let sorted: Vec<_> = self
            .heard
            .iter()
            .filter_map(|message| Some((message, sort(message, settings)?)))
            .collect();
        match sorted.is_empty() {
            true => {}
            false => self.db.keep(&sorted)?,
        }
        let dead = |sorted: &&(_, Sorted)| matches!(sorted.1, Sorted::Dead(_));
        (0..sorted.iter().filter(dead).count()).for_each(|_| self.numbers.event("dead"));
        Ok(())
    }

    /// Hands in a notification without Kafka; it is handled like any other.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn hand_in(&mut self, run: RunId, data: RunData) -> Result<()> {
        let settings = &self.settings.notifications;
        let event = settings
            .events
            .iter()
            .find(|(_, announces)| **announces == data)
            .map(|(event, _)| event.clone());
        let event = event.ok_or_else(|| Error::Queue(format!("no event announces {data} data")))?;
        let fields = &settings.fields;
        let payload = serde_json::json!({
            &fields.event: event, &fields.proposal: run.proposal, &fields.run: run.number,
        });
        let message = Message {
            topic: "by hand".into(),
            partition: 0,
            offset: 0,
            timestamp: now_ms(),
            payload: payload.to_string().into_bytes(),
        };
        let sorted = sort(&message, settings).map(|sorted| (&message, sorted));
        self.db.keep(sorted.as_slice())
    }
}

/// What is to be done with a message; None: it is none of our business.
fn sort(message: &Message, settings: &NotificationSettings) -> Option<Sorted> {
    match notification::parse(&message.payload, settings) {
        Ok(Some(_)) => Some(Sorted::ForUs),
        Ok(None) => None,
        Err(why) => {
            let (topic, partition, offset) = (&message.topic, message.partition, message.offset);
            warn!(topic, partition, offset, "kept as a dead letter: {why}");
            Some(Sorted::Dead(why.to_string()))
        }
    }
}
