//! Kafka, at the rim: the one module that knows the client library.

mod consumer;
mod embedded;
mod joining;
mod outage;
mod position;
mod producer;

pub use consumer::{Consumer, ConsumerSettings, Start};
pub use embedded::EmbeddedBroker;
pub use producer::{Delivery, Producer, ProducerSettings};

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

/// Settings of the Kafka library by name, as its documentation lists them (`CONFIGURATION.md` of
/// librdkafka).
pub type Properties = BTreeMap<String, String>;

/// How often the library tells which brokers answer, in milliseconds.
const STATISTICS: &str = "5000";

/// What both kinds of client start from; `properties` win over `ours`.
fn client_config(brokers: &str, ours: &[(&str, &str)], properties: &Properties) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config.set("statistics.interval.ms", STATISTICS);
    for (name, value) in ours {
        config.set(*name, *value);
    }
    for (name, value) in properties {
        config.set(name, value);
    }
    config
}
