//! Messages on their way into the outboxes of their databases, and out of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tracing::warn;

use super::refused::give_up;
use super::{AGAIN, Letter, Publisher};
use crate::kafka::Undelivered;
use crate::ledger::{Ledger, Waiting};

/// How many messages of a topic that waited for long are taken from an outbox at once.
const AT_ONCE: u32 = 1000;
/// How our topics begin. Who can write a ledger must not be able to send, as us, to those of the facility.
const OURS: &str = "test.damnit.";

impl Publisher {
    /// Sends what somebody has put into a database's outbox, behind what waits there already.
    pub fn send_kept(&mut self, database_dir: &Path) {
        if !self.held.contains_key(database_dir) {
            self.drain(database_dir);
        }
    }

    /// Sends what waits in a database's outbox, if it is not under way already.
    pub fn drain(&mut self, database_dir: &Path) {
        if !self.is_enabled() || !Ledger::is_in(database_dir) {
            return;
        }
        if !self.has_room() {
            self.wait_for_room = true;
            return self.look_again(database_dir);
        }
        match Ledger::open(database_dir).and_then(|ledger| ledger.first_messages(AT_ONCE)) {
            Ok(waiting) => {
                if waiting.len() >= AT_ONCE as usize {
                    self.wait_for_room = true;
                    self.look_again(database_dir);
                }
                self.send_waiting(database_dir, waiting);
            }
            Err(error) => {
                warn!("what waits there is not sent yet: {error}");
                self.look_again(database_dir);
            }
        }
    }

    /// What waits there has its turn again; not later for what comes meanwhile.
    pub(super) fn look_again(&mut self, database_dir: &Path) {
        let when = Instant::now() + AGAIN;
        self.held.entry(database_dir.to_path_buf()).or_insert(when);
    }

    fn send_waiting(&mut self, database_dir: &Path, waiting: Vec<Waiting>) {
        let ours = |letter: &&Letter| letter.database_dir == database_dir;
        let under_way: BTreeSet<i64> = self
            .under_way
            .values()
            .filter(ours)
            .filter_map(|letter| letter.waiting)
            .collect();
        for message in waiting
            .into_iter()
            .filter(|message| !under_way.contains(&message.id))
        {
            let letter = Letter {
                database_dir: database_dir.to_path_buf(),
                topic: message.topic,
                payload: message.payload,
                waiting: Some(message.id),
            };
            match letter.topic.starts_with(OURS) {
                true => self.send(letter),
                false => give_up(&letter, &Undelivered::Never("no topic of ours".into())),
            }
        }
    }

    /// Puts messages into their databases' outboxes, in order; those that come from there are there still.
    pub(super) fn keep(&mut self, letters: Vec<Letter>) {
        let mut by_database: BTreeMap<PathBuf, Vec<(String, Vec<u8>)>> = BTreeMap::new();
        for letter in letters {
            self.look_again(&letter.database_dir);
            let new = by_database.entry(letter.database_dir).or_default();
            if letter.waiting.is_none() {
                new.push((letter.topic, letter.payload));
            }
        }
        for (dir, messages) in by_database
            .into_iter()
            .filter(|(_, messages)| !messages.is_empty())
        {
            let kept = Ledger::open(&dir).and_then(|mut ledger| ledger.keep_messages(&messages));
            if let Err(error) = kept {
                warn!(
                    count = messages.len(),
                    "updates are lost, windows have to be reloaded: {error}"
                );
            }
        }
    }
}

/// Delivered messages need not wait any more. Where that cannot be written down, they are sent twice.
pub(super) fn forget(delivered: BTreeMap<PathBuf, Vec<i64>>) {
    for (dir, ids) in delivered.iter().filter(|(_, ids)| !ids.is_empty()) {
        let done = Ledger::open(dir).and_then(|mut ledger| ledger.messages_delivered(ids));
        if let Err(error) = done {
            warn!("messages will be sent twice: {error}");
        }
    }
}
