//! Messages that no broker takes as they are: in two where that says the same, else nowhere, so that they hold nothing else
//! up.

use std::path::Path;

use tracing::{error, warn};

use super::outbox::forget;
use super::{Letter, Publisher};
use crate::excerpt::excerpt;
use crate::kafka::Undelivered;
use crate::ledger::Ledger;
use crate::updates::halves;

impl Publisher {
    /// Sends it in two, or gives it up.
    pub(super) fn part(&mut self, letter: Letter, why: &Undelivered) {
        let parts = match why {
            Undelivered::TooLarge(_) => halves(&letter.payload),
            _ => None,
        };
        let Some(parts) = parts else {
            return give_up(&letter, why);
        };
        let Letter {
            database_dir,
            topic,
            waiting,
            ..
        } = letter;
        match waiting {
            None => self.send_parts(&database_dir, &topic, parts),
            Some(id) => {
                let parted = Ledger::open(&database_dir)
                    .and_then(|mut ledger| ledger.replace_message(id, &topic, &parts));
                if let Err(error) = parted {
                    warn!("a message that is too large is tried once more: {error}");
                    return self.look_again(&database_dir);
                }
                self.drain(&database_dir);
            }
        }
    }

    fn send_parts(&mut self, database_dir: &Path, topic: &str, parts: [Vec<u8>; 2]) {
        for payload in parts {
            self.send(Letter {
                database_dir: database_dir.to_path_buf(),
                topic: topic.to_owned(),
                payload,
                waiting: None,
            });
        }
    }
}

/// Nobody would take it another time.
pub(super) fn give_up(letter: &Letter, why: &Undelivered) {
    let payload = String::from_utf8_lossy(&letter.payload);
    error!(
        topic = letter.topic,
        bytes = letter.payload.len(),
        folder = %letter.database_dir.display(),
        "a message that no broker takes is given up, windows have to be reloaded: {why}: {}",
        excerpt(&payload)
    );
    let database_dir = letter.database_dir.clone();
    forget([(database_dir, letter.waiting.into_iter().collect())].into());
}
