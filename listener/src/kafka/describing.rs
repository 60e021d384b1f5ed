//! What a broker knows of topics by their names.
//!
//! The library says it in C only (`rd_kafka_DescribeTopics` in librdkafka's `rdkafka.h`), and its own consumer makes no
//! use of it.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::slice;
use std::time::Duration;

use rdkafka::bindings::{self as c, rd_kafka_TopicDescription_t, rd_kafka_admin_op_t};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

/// A topic of which there may have been others of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topic {
    /// The broker gives it to one topic only (KIP-516); None where there is no such topic, or the broker is older than
    /// Kafka 2.8.
    pub(super) id: Option<String>,
    /// How many partitions it has: 0 where there is no such topic.
    pub(super) partitions: usize,
}

/// Something of the library's that it wants back.
struct Owned<T> {
    pointer: *mut T,
    give_back: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// # Safety
    /// `give_back` has to take what `pointer` points to, if that is not null, and nobody else may.
    unsafe fn new(pointer: *mut T, give_back: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        (!pointer.is_null()).then_some(Self { pointer, give_back })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: as `new` was promised, and this is done once.
        unsafe { (self.give_back)(self.pointer) };
    }
}

/// The topics of these names as they are now; those of which the broker does not speak, as of one that the account may
/// not read, are left out.
///
/// # Errors
/// The broker does not answer within `patience`, or does not know the question.
pub(super) fn describe<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    names: &[&str],
    patience: Duration,
) -> KafkaResult<BTreeMap<String, Topic>> {
    let names: Vec<CString> = names.iter().flat_map(|name| CString::new(*name)).collect();
    let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let client = consumer.client().native_ptr();
    let milliseconds = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client lives as long as the consumer that we are lent, and what is made here is given back before
    // (locals are dropped in reverse order). The library copies the names, and takes back a queue to which an answer
    // still comes. Results belong to the event, which lives until the end of the block.
    unsafe {
        let queue = Owned::new(c::rd_kafka_queue_new(client), c::rd_kafka_queue_destroy);
        let asked = c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let asked = Owned::new(asked, c::rd_kafka_TopicCollection_destroy);
        let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = c::rd_kafka_AdminOptions_new(client, operation);
        let options = Owned::new(options, c::rd_kafka_AdminOptions_destroy);
        let (Some(queue), Some(asked), Some(options)) = (queue, asked, options) else {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::InvalidArgument));
        };
        // A time that is out of the library's bounds leaves its own.
        let (no_text, pointer) = (std::ptr::null_mut(), options.pointer);
        c::rd_kafka_AdminOptions_set_request_timeout(pointer, milliseconds, no_text, 0);
        c::rd_kafka_DescribeTopics(client, asked.pointer, options.pointer, queue.pointer);
        let event = c::rd_kafka_queue_poll(queue.pointer, milliseconds);
        let Some(event) = Owned::new(event, c::rd_kafka_event_destroy) else {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut));
        };
        let error: RDKafkaErrorCode = c::rd_kafka_event_error(event.pointer).into();
        let result = c::rd_kafka_event_DescribeTopics_result(event.pointer);
        if error != RDKafkaErrorCode::NoError || result.is_null() {
            return Err(KafkaError::AdminOp(error));
        }
        let mut count = 0;
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        let topics = match topics.is_null() {
            true => &[],
            false => slice::from_raw_parts(topics, count),
        };
        Ok(topics
            .iter()
            .filter_map(|topic| described(*topic))
            .collect())
    }
}

/// # Safety
/// A topic of a result that is there for as long as the call lasts.
unsafe fn described(topic: *const rd_kafka_TopicDescription_t) -> Option<(String, Topic)> {
    // SAFETY: as promised; the library's texts end with 0. The text of an id belongs to the id, and the id to the topic.
    unsafe {
        let name = CStr::from_ptr(c::rd_kafka_TopicDescription_name(topic));
        let name = name.to_str().ok()?.to_owned();
        let error = c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(topic));
        let (mut partitions, id) = (0, c::rd_kafka_TopicDescription_topic_id(topic));
        c::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
        match RDKafkaErrorCode::from(error) {
            RDKafkaErrorCode::NoError if id.is_null() || is_zero(id) => Some((
                name,
                Topic {
                    id: None,
                    partitions,
                },
            )),
            RDKafkaErrorCode::NoError => {
                let id = CStr::from_ptr(c::rd_kafka_Uuid_base64str(id));
                let id = Some(id.to_string_lossy().into_owned());
                Some((name, Topic { id, partitions }))
            }
            RDKafkaErrorCode::UnknownTopicOrPartition => Some((name, Topic::default())),
            _ => None,
        }
    }
}

/// # Safety
/// An id that is there for as long as the call lasts.
unsafe fn is_zero(id: *const c::rd_kafka_Uuid_t) -> bool {
    // SAFETY: as promised.
    unsafe {
        c::rd_kafka_Uuid_most_significant_bits(id) == 0
            && c::rd_kafka_Uuid_least_significant_bits(id) == 0
    }
}
