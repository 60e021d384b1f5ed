//! Why a message did not arrive: whether it may later, or never will as it is.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why no broker has a message, in the words of the Kafka library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It may arrive another time: no broker answers, there is no such topic yet, or not for this account.
    #[error("{0}")]
    NotYet(String),
    /// It is larger than the library or the topic allows.
    #[error("{0}")]
    TooLarge(String),
    /// No broker ever takes it.
    #[error("{0}")]
    Never(String),
}

/// Messages go together up to so many bytes; a larger one goes alone. Brokers refuse what goes together as a whole.
pub(super) const TOGETHER: usize = 65_536;

impl Undelivered {
    /// Of a message of so many bytes.
    pub(super) fn of(error: &KafkaError, bytes: usize) -> Self {
        use RDKafkaErrorCode as Code;
        let reason = error.to_string();
        match error.rdkafka_error_code() {
            Some(
                Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize,
            ) if bytes > TOGETHER => Self::TooLarge(reason),
            Some(
                Code::InvalidTopic
                | Code::InvalidTimestamp
                | Code::InvalidRecord
                | Code::PolicyViolation
                | Code::UnsupportedForMessageFormat,
            ) => Self::Never(reason),
            _ => Self::NotYet(reason),
        }
    }
}
