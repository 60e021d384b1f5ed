//! Says once that a broker is gone and once that it is back, whatever the library repeats.

use std::sync::Mutex;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use tracing::{debug, info, trace, warn};

/// The trouble last spoken of, if it lasts.
#[derive(Debug, Default)]
pub(super) struct Outage {
    brokers: String,
    last: Mutex<Option<RDKafkaErrorCode>>,
}

impl Outage {
    pub(super) fn of(brokers: &str) -> Self {
        Self {
            brokers: brokers.into(),
            last: Mutex::default(),
        }
    }

    /// The library reports trouble: news only where it is not the trouble we know.
    fn trouble(&self, code: RDKafkaErrorCode, reason: &str) {
        let known = self.replace(Some(code));
        if known.is_some() {
            trace!(target: "kafka", brokers = self.brokers, reason, "still in trouble");
        } else {
            warn!(target: "kafka", brokers = self.brokers, reason, "the broker does not answer; trying on quietly");
        }
    }

    /// A broker answered.
    pub(super) fn over(&self) {
        if self.replace(None).is_some() {
            info!(target: "kafka", brokers = self.brokers, "the broker answers again");
        }
    }

    fn replace(&self, code: Option<RDKafkaErrorCode>) -> Option<RDKafkaErrorCode> {
        let mut last = match self.last.lock() {
            Ok(last) => last,
            Err(poisoned) => poisoned.into_inner(),
        };
        std::mem::replace(&mut *last, code)
    }
}

impl ClientContext for Outage {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn stats(&self, statistics: Statistics) {
        if statistics
            .brokers
            .values()
            .any(|broker| broker.state == "UP")
        {
            self.over();
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // One connection of several: the library says `AllBrokersDown` when it matters.
            Some(RDKafkaErrorCode::BrokerTransportFailure) | None => {
                debug!(target: "kafka", brokers = self.brokers, reason, "{error}");
            }
            Some(code) => self.trouble(code, reason),
        }
    }
}
