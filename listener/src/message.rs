//! A message as it came from a broker, for the parts that know nothing of Kafka's client.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Up to when was heard what was sent: a moment for each topic's partition, in milliseconds since 1970.
pub type Heard = BTreeMap<(String, i32), i64>;

/// One message of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic it was read from.
    pub topic: String,
    /// The topic's partition.
    pub partition: i32,
    /// Its position in the partition.
    pub offset: i64,
    /// When it was sent, in milliseconds since 1970, as its sender says; -1 where the broker knows no time.
    pub timestamp: i64,
    /// The value, as it came.
    pub payload: Vec<u8>,
}

/// Payload fingerprints live in this name space.
const FINGERPRINTS: Uuid = Uuid::from_u128(0x5a4c_88f2_1c0b_4f4e_9d52_77be_1d1f_0a36);

impl Message {
    /// Which message this is, whatever position a broker gives it.
    ///
    /// A broker that was wiped counts its positions from 0 again, and a producer that repeats a
    /// message after a lost answer gets a second position for it. Topic, time and content tell
    /// the first apart and the second together. Without a time only the position is left.
    pub fn source(&self) -> String {
        let content = Uuid::new_v5(&FINGERPRINTS, &self.payload).simple();
        match self.timestamp {
            ..=0 => format!(
                "{}/{}/{}#{content}",
                self.topic, self.partition, self.offset
            ),
            sent => format!("{}@{sent}#{content}", self.topic),
        }
    }
}

/// This moment, as messages tell when they were sent.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(offset: i64, timestamp: i64, payload: &str) -> Message {
        Message {
            topic: "test.r2d2".into(),
            partition: 0,
            offset,
            timestamp,
            payload: payload.into(),
        }
    }

    #[test]
    fn a_message_that_its_producer_repeated_is_the_same() {
        assert_eq!(
            message(4, 1000, "a").source(),
            message(5, 1000, "a").source()
        );
    }

    #[test]
    fn a_position_that_a_wiped_broker_gives_out_again_is_another_message() {
        assert_ne!(
            message(0, 1000, "a").source(),
            message(0, 2000, "a").source()
        );
        assert_ne!(
            message(0, 1000, "a").source(),
            message(0, 1000, "b").source()
        );
    }

    #[test]
    fn without_a_time_the_position_tells_messages_apart() {
        assert_ne!(message(4, -1, "a").source(), message(5, -1, "a").source());
        // A sender that has no clock.
        assert_ne!(message(4, 0, "a").source(), message(5, 0, "a").source());
    }
}
