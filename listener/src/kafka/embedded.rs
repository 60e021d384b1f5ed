//! A broker inside this process, for the demo and for tests.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::{Error, Result};

/// A Kafka broker on a free loopback port, as long as this value lives. Programs outside can
/// join in. It keeps at most 5 MB a partition, in memory, and finds no offsets by time.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts one that holds these topics, with one partition each; further topics come into
    /// being when first used.
    ///
    /// # Errors
    /// [`Error::Kafka`] where no port can be had.
    pub fn start(topics: &[&str]) -> Result<Self> {
        let cluster = MockCluster::new(1).map_err(|error| failed(&error))?;
        let broker = Self { cluster };
        topics
            .iter()
            .try_for_each(|topic| broker.create_topic(topic))?;
        Ok(broker)
    }

    /// Where clients find it, `host:port`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Makes a topic with one partition.
    ///
    /// # Errors
    /// [`Error::Kafka`] where it is there already.
    pub fn create_topic(&self, topic: &str) -> Result<()> {
        self.cluster
            .create_topic(topic, 1, 1)
            .map_err(|error| failed(&error))
    }

    /// Does not tell members that ask where a partition begins, or tells them again.
    pub fn hide_beginnings(&self, hidden: bool) {
        const FOR_LONG: [RDKafkaRespErr; 1000] =
            [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1000];
        if hidden {
            self.cluster
                .request_errors(RDKafkaApiKey::ListOffsets, &FOR_LONG);
        } else {
            self.cluster
                .clear_request_errors(RDKafkaApiKey::ListOffsets);
        }
    }

    /// Lets it drop every connection and refuse new ones, or take them again.
    ///
    /// # Errors
    /// [`Error::Kafka`] where the library refuses.
    pub fn set_reachable(&self, reachable: bool) -> Result<()> {
        const ALL: i32 = -1;
        let done = if reachable {
            self.cluster.broker_up(ALL)
        } else {
            self.cluster.broker_down(ALL)
        };
        done.map_err(|error| failed(&error))
    }
}

fn failed(error: &rdkafka::error::KafkaError) -> Error {
    Error::Kafka {
        brokers: "embedded".into(),
        reason: error.to_string(),
    }
}
