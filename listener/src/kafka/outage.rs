//! Says once that a broker is gone and once that it is back, and once what else is wrong there, whatever the library
//! repeats.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use tracing::{debug, info, trace, warn};

/// The trouble last spoken of, if it lasts.
#[derive(Debug)]
pub(super) struct Outage {
    brokers: String,
    /// What the client cannot do meanwhile: a service has one to read and one to publish.
    hindered: &'static str,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// A broker is not there.
    is_away: bool,
    /// How a connection ended last.
    connection: String,
    /// What was said of topics.
    topics: String,
    /// What else was said.
    other: String,
}

impl Outage {
    pub(super) fn of(brokers: &str, hindered: &'static str) -> Self {
        Self {
            brokers: brokers.into(),
            hindered,
            known: Mutex::default(),
        }
    }

    /// The library reports trouble: news only where it is not the trouble we know.
    fn trouble(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut known = self.known();
        let (brokers, hindered) = (&self.brokers, self.hindered);
        // Its own words for this are a count, in which those that it knows by their address alone are missing.
        let reason = match code {
            RDKafkaErrorCode::AllBrokersDown if !known.connection.is_empty() => &known.connection,
            _ => reason,
        };
        if is_about_topics(code) {
            if known.topics != reason {
                warn!(target: "kafka", brokers, reason, "the broker answers, but a topic cannot be had there yet; trying on quietly");
                known.topics = reason.into();
            }
        } else if !is_absence(code) {
            if known.other != reason {
                warn!(target: "kafka", brokers, reason, "the broker answers, but something is wrong: trying on quietly");
                known.other = reason.into();
            }
        } else if known.is_away {
            trace!(target: "kafka", brokers, reason, "still in trouble");
        } else {
            warn!(target: "kafka", brokers, reason, "the broker does not answer: {hindered}; trying on quietly");
            known.is_away = true;
        }
    }

    /// A broker answered.
    pub(super) fn over(&self) {
        if std::mem::take(&mut self.known().is_away) {
            info!(target: "kafka", brokers = self.brokers, "the broker answers again");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nobody answers, or not with what can be understood.
fn is_absence(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::SSL
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::BrokerDestroy
    )
}

/// Whether it is a broker's answer: there is no such topic, or not for us.
fn is_about_topics(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::TopicAuthorizationFailed
    )
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
            Some(RDKafkaErrorCode::BrokerTransportFailure) => {
                debug!(target: "kafka", brokers = self.brokers, reason, "{error}");
                self.known().connection = reason.into();
            }
            None => debug!(target: "kafka", brokers = self.brokers, reason, "{error}"),
            Some(code) => self.trouble(code, reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_says_that_a_topic_is_missing_is_there() {
        let outage = Outage::of("here:1", "nothing is read");
        let tell = |code| outage.error(KafkaError::Global(code), "Subscribed topic not available");
        tell(RDKafkaErrorCode::UnknownTopicOrPartition);
        assert!(!outage.known().is_away);
        assert_eq!(outage.known().topics, "Subscribed topic not available");
        tell(RDKafkaErrorCode::AllBrokersDown);
        assert!(outage.known().is_away);
        outage.over();
        assert!(!outage.known().is_away);
    }

    #[test]
    fn what_is_wrong_with_a_group_is_no_absence() {
        let outage = Outage::of("here:1", "nothing is read");
        let why = "Group authorization failed";
        outage.error(
            KafkaError::Global(RDKafkaErrorCode::GroupAuthorizationFailed),
            why,
        );
        assert!(!outage.known().is_away);
        assert_eq!(outage.known().other, why);
    }
}
