//! What the clients of a database hear of its jobs, in DAMNIT's own messages.

use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use runledger_storage::Database;
use tracing::warn;

use super::dispatcher::{Dispatcher, PATIENCE};
use crate::publisher::{self, Publisher};
use crate::updates::Update;

impl Dispatcher {
    /// Publishes to a database's own topic.
    pub(super) fn tell(&self, database_dir: &Path, updates: &[Update]) {
        if updates.is_empty() {
            return;
        }
        match Database::open_with_timeout(database_dir, PATIENCE) {
            Ok(db) => self.tell_clients_of(&db, updates),
            Err(why) => {
                warn!(folder = %database_dir.display(), "the clients are not told of its jobs: {why}")
            }
        }
    }

    /// [`tell`](Self::tell), of a database that is open.
    pub(super) fn tell_clients_of(&self, db: &Database, updates: &[Update]) {
        let topic = db.update_topic();
        self.publishing(|publisher| {
            for update in updates {
                publisher.publish(db.dir(), &topic, update);
            }
        });
    }

    /// Works with the publisher, which all threads share; nothing after it is closed.
    pub(super) fn publishing<T>(&self, work: impl FnOnce(&mut Publisher) -> T) -> Option<T> {
        let mut publisher = self
            .publisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        publisher.as_mut().map(work)
    }

    /// Takes note of what was delivered, unless another thread is at it; returns how soon to look again. Does not
    /// wait.
    pub fn advance(&self) -> Duration {
        match self.publisher.try_lock().as_deref_mut() {
            Ok(Some(publisher)) => publisher.advance(),
            _ => publisher::SOON,
        }
    }

    /// Publishes with another publisher from now on. What the old one could not deliver waits in the outboxes of the
    /// databases; the new one sends it.
    pub fn publish_with<'a>(
        &self,
        new: Publisher,
        databases: impl IntoIterator<Item = &'a Path>,
        patience: Duration,
    ) {
        let old = self.publishing(|publisher| std::mem::replace(publisher, new));
        if let Some(old) = old {
            old.close(patience);
        }
        for database_dir in databases {
            self.publishing(|publisher| publisher.drain(database_dir));
        }
    }

    /// Waits, not for long, until all is delivered; what is left waits in the outboxes.
    pub fn close(&self, patience: Duration) {
        let mut publisher = self
            .publisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(publisher) = publisher.take() {
            publisher.close(patience);
        }
    }
}
