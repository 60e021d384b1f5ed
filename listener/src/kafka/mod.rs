//! Kafka, at the rim: the one module that knows the client library.

mod beginning;
mod clock_watch;
mod consumer;
mod describing;
mod embedded;
mod joining;
mod members;
mod outage;
mod position;
mod producer;
mod properties;
mod topics;
mod undelivered;

pub use consumer::{Consumer, ConsumerSettings, Start};
pub use embedded::EmbeddedBroker;
pub use producer::{Delivery, Producer, ProducerSettings};
pub use properties::Properties;
pub use undelivered::Undelivered;

use std::time::Duration;

use rdkafka::ClientConfig;

/// How long the broker may take to answer a question, while reading waits.
const PATIENCE: Duration = Duration::from_secs(1);

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
    for (name, value) in properties.iter() {
        config.set(name, value);
    }
    config
}
