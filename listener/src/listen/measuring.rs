//! What a listener tells of itself, and what it forgets.

use std::time::{Duration, Instant};

use tracing::debug;

use super::{Listener, PAUSE};
use crate::Result;
use crate::counting::counted;
use crate::kafka::Consumer;
use crate::listener_db::{KEPT, PRUNED_AT_ONCE};
use crate::monitor::{Monitor, Numbers};

/// How often the inbox forgets what was handled long ago.
pub(super) const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How often the numbers are brought up to date.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Who gives the numbers away at `address`, unless that is empty.
pub(super) fn monitor(address: &str, numbers: &Numbers) -> Result<Option<Monitor>> {
    let is_wanted = !address.is_empty();
    is_wanted
        .then(|| Monitor::open(address, numbers.clone()))
        .transpose()
}

impl Listener {
    /// For a monitor.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn measure(&mut self, consumer: &Consumer) {
        if self
            .measured
            .is_some_and(|when| when.elapsed() < MEASURE_EVERY)
        {
            return;
        }
        self.measured = Some(Instant::now());
        self.numbers.set_lag(&consumer.lag());
        self.numbers.missed(consumer.take_missed());
        for (state, jobs) in self.dispatch.by_state() {
            self.numbers.jobs().set(state.as_str(), jobs);
        }
        // Where it cannot be read, everything waits, and the log says so.
        if let (Ok(waiting), Ok(dead)) = (self.db.waiting_since(), self.db.dead()) {
            self.numbers.set_inbox(waiting.0, waiting.1, dead);
        }
    }

    /// What was handled long ago, once the broker says that it will not be read again.
    pub(super) fn forget_the_old(&mut self, consumer: &Consumer) {
        if Instant::now() < self.next_pruning || !consumer.has_joined() {
            return;
        }
        let pruned = consumer
            .committed(PAUSE)
            .and_then(|committed| self.db.prune(&committed, KEPT));
        match pruned {
            // There is more of it.
            Ok(PRUNED_AT_ONCE) => return,
            Ok(pruned) => debug!(pruned, "forgot what was handled long ago"),
            Err(why) => debug!("what was handled long ago is kept for now: {why}"),
        }
        self.next_pruning = Instant::now() + PRUNE_EVERY;
    }

    /// In a few words, for who keeps the listener.
    pub(super) fn status(&self) -> String {
        let depth = self.db.depth().unwrap_or_default();
        format!(
            "waiting: {}; not at their end: {}",
            counted(depth as usize, "notification"),
            counted(self.dispatch.left(), "job")
        )
    }
}
