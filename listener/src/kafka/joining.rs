//! Says once that a member waits for its share of the partitions, and why that takes as long as it does.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::statistics::Statistics;
use tracing::info;

/// Whether it was said, of the wait that goes on.
#[derive(Debug, Default)]
pub(super) struct Joining {
    is_told: AtomicBool,
}

impl Joining {
    /// The library tells every few seconds how things are: who joins at once is not heard of here.
    pub(super) fn look(&self, statistics: &Statistics) {
        if is_waiting(statistics) && !self.is_told.swap(true, Ordering::Relaxed) {
            info!(
                target: "kafka",
                "waiting to join the group: the broker gives out partitions when all members have answered, and misses \
                 one that was killed only after its session.timeout.ms; nothing is read until then"
            );
        }
    }

    /// The share is there.
    pub(super) fn over(&self) {
        self.is_told.store(false, Ordering::Relaxed);
    }
}

/// In the library's words: the broker was asked, and has not answered.
fn is_waiting(statistics: &Statistics) -> bool {
    let group = statistics.cgrp.as_ref();
    group.is_some_and(|group| group.state == "up" && group.join_state.starts_with("wait-"))
}
