//! Where jobs go: a queue, and this machine where that may stand in for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::queue::QueueManager;

/// Where jobs go.
pub struct Queues {
    pub(super) main: Arc<dyn QueueManager>,
    /// This machine, beside another queue.
    pub(super) local: Option<Arc<dyn QueueManager>>,
    falls_back: AtomicBool,
}

impl Queues {
    /// One queue, and no other.
    pub fn only(queue: impl QueueManager + 'static) -> Self {
        Self::shared(Arc::new(queue))
    }

    /// [`only`](Self::only), of a queue that others look at too.
    pub fn shared(queue: Arc<dyn QueueManager>) -> Self {
        Self {
            main: queue,
            local: None,
            falls_back: false.into(),
        }
    }

    /// With this machine beside it, for what it takes only if [`fall_back`](Self::fall_back) allows that.
    #[must_use]
    pub fn beside(self, local: impl QueueManager + 'static) -> Self {
        Self {
            local: Some(Arc::new(local)),
            ..self
        }
    }

    /// Whether what the queue does not take is done on this machine.
    pub fn fall_back(&self, allowed: bool) {
        self.falls_back.store(allowed, Ordering::Relaxed);
    }

    /// From now on jobs evaluate context files in this wrapper; empty: in that of their own configuration, if any.
    pub fn wrap_in(&self, words: &str) {
        self.all().for_each(|queue| queue.wrap_in(words));
    }

    /// How many jobs run at once on this machine, if that is to change.
    pub(super) fn limit_local(&self, jobs: Option<usize>) {
        if let Some(jobs) = jobs {
            self.all().for_each(|queue| queue.set_limit(jobs));
        }
    }

    /// Whether there is anything that takes jobs.
    pub fn can_submit(&self) -> bool {
        self.main.can_submit() || self.stand_in().is_some()
    }

    /// Whether jobs are done on this machine, by whoever submits them.
    pub fn is_local(&self) -> bool {
        self.main.limit().is_some() || !self.main.can_submit()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<dyn QueueManager>> {
        [Some(&self.main), self.local.as_ref()]
            .into_iter()
            .flatten()
    }

    /// This machine, if it may stand in for the queue.
    pub(super) fn stand_in(&self) -> Option<&Arc<dyn QueueManager>> {
        let may = self.falls_back.load(Ordering::Relaxed);
        self.local.as_ref().filter(|_| may)
    }
}
