//! What came in: on disk before Kafka hears that we have it.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::{ListenerDb, now};
use crate::Result;
use crate::message::Message;

/// The first wait after a failure, in seconds; twice as long after each, up to the longest.
const FIRST_WAIT: f64 = 0.5;
const LONGEST_WAIT: f64 = 60.0;

/// A notification to which something is still to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Its place in the inbox.
    pub id: i64,
    /// Which message it is.
    pub source: String,
    /// When it was sent, in seconds since 1970; when it was received, where the broker does not tell.
    pub sent_at: f64,
    /// What it says.
    pub payload: Vec<u8>,
    /// How often it was tried.
    pub tries: u32,
}

/// A message that could not be understood.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// By which it can be handed in again.
    pub id: i64,
    /// Where it was read.
    pub topic: String,
    /// The topic's partition.
    pub partition: i32,
    /// Its position there.
    pub offset: i64,
    /// When it came, in seconds since 1970.
    pub received_at: f64,
    /// What is wrong with it.
    pub reason: String,
    /// What it says.
    pub payload: Vec<u8>,
}

/// What is to be done with a message.
pub(crate) enum Sorted {
    /// Something follows from it.
    ForUs,
    /// It cannot be understood.
    Dead(String),
}

impl ListenerDb {
    /// Keeps messages, all or none. One that is there already changes nothing.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub(crate) fn keep(&mut self, messages: &[(&Message, Sorted)]) -> Result<()> {
        let kept = self.try_keep(messages);
        self.done(kept)
    }

    fn try_keep(&mut self, messages: &[(&Message, Sorted)]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (message, sorted) in messages {
            match sorted {
                Sorted::ForUs => insert(&transaction, message)?,
                Sorted::Dead(reason) => bury(&transaction, message, reason)?,
            }
        }
        transaction.commit()
    }

    /// The notifications whose turn it is, first come first served; at most `limit`.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn due(&self, limit: u32) -> Result<Vec<Letter>> {
        let read = || -> rusqlite::Result<Vec<Letter>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT id, source, coalesce(sent_at, received_at), payload, tries FROM inbox
                 WHERE done_at IS NULL AND next_try <= ?1 ORDER BY id LIMIT ?2",
            )?;
            let rows = statement.query_map(params![now(), limit], |row| {
                Ok(Letter {
                    id: row.get(0)?,
                    source: row.get(1)?,
                    sent_at: row.get(2)?,
                    payload: row.get(3)?,
                    tries: row.get(4)?,
                })
            })?;
            rows.collect()
        };
        self.done(read())
    }

    /// Everything that follows from a notification is on disk.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn handled(&self, letter: &Letter) -> Result<()> {
        let sql = "UPDATE inbox SET done_at = ?2, last_error = NULL WHERE id = ?1";
        self.done(self.connection.execute(sql, params![letter.id, now()]))
            .map(drop)
    }

    /// A notification is to be tried again, later.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn postpone(&self, letter: &Letter, why: &str) -> Result<()> {
        let wait = (FIRST_WAIT * 2_f64.powi(i32::try_from(letter.tries.min(30)).unwrap_or(30)))
            .min(LONGEST_WAIT);
        let done = self.connection.execute(
            "UPDATE inbox SET tries = tries + 1, next_try = ?2, last_error = ?3 WHERE id = ?1",
            params![letter.id, now() + wait, why],
        );
        self.done(done).map(drop)
    }

    /// How many notifications wait.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn depth(&self) -> Result<u32> {
        let sql = "SELECT count(*) FROM inbox WHERE done_at IS NULL";
        self.done(self.connection.query_row(sql, [], |row| row.get(0)))
    }

    /// The messages that could not be understood, oldest first.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        let read = || -> rusqlite::Result<Vec<DeadLetter>> {
            let mut statement = self.connection.prepare(
                "SELECT id, topic, partition, \"offset\", received_at, reason, payload FROM dead_letters ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(DeadLetter {
                    id: row.get(0)?,
                    topic: row.get(1)?,
                    partition: row.get(2)?,
                    offset: row.get(3)?,
                    received_at: row.get(4)?,
                    reason: row.get(5)?,
                    payload: row.get(6)?,
                })
            })?;
            rows.collect()
        };
        self.done(read())
    }

    /// Moves a dead letter into the inbox, where the settings may have changed so that it can be understood now. False
    /// if there is none of this number. One that still cannot be understood comes back.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn replay(&mut self, id: i64) -> Result<bool> {
        let moved = self.try_replay(id);
        self.done(moved)
    }

    fn try_replay(&mut self, id: i64) -> rusqlite::Result<bool> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let moved = transaction.execute(
            "INSERT INTO inbox (source, topic, partition, \"offset\", sent_at, received_at, payload)
             SELECT source, topic, partition, \"offset\", sent_at, received_at, payload FROM dead_letters WHERE id = ?1
             ON CONFLICT (source) DO UPDATE SET done_at = NULL, next_try = 0, tries = 0",
            [id],
        )?;
        transaction.execute("DELETE FROM dead_letters WHERE id = ?1", [id])?;
        transaction.commit()?;
        Ok(moved > 0)
    }

    /// Moves a notification that can't be understood any more (the settings changed) to the dead letters.
    pub(crate) fn give_up(&mut self, letter: &Letter, reason: &str) -> Result<()> {
        let moved = self.try_give_up(letter, reason);
        self.done(moved)
    }

    fn try_give_up(&mut self, letter: &Letter, reason: &str) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO dead_letters (source, topic, partition, \"offset\", sent_at, received_at, reason, payload)
             SELECT source, topic, partition, \"offset\", sent_at, received_at, ?2, payload FROM inbox WHERE id = ?1
             ON CONFLICT (source) DO NOTHING",
            params![letter.id, reason],
        )?;
        transaction.execute("DELETE FROM inbox WHERE id = ?1", [letter.id])?;
        transaction.commit()
    }

    /// Whether a message is in the inbox, handled or not.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn knows(&self, source: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM inbox WHERE source = ?1";
        let found = self
            .connection
            .query_row(sql, [source], |_| Ok(()))
            .optional();
        Ok(self.done(found)?.is_some())
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
fn seconds(ms: i64) -> Option<f64> {
    (ms >= 0).then(|| ms as f64 / 1000.0)
}

fn insert(transaction: &Transaction<'_>, message: &Message) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO inbox (source, topic, partition, \"offset\", sent_at, received_at, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (source) DO NOTHING",
        )?
        .execute(params![
            message.source(),
            message.topic,
            message.partition,
            message.offset,
            seconds(message.timestamp),
            now(),
            message.payload
        ])
        .map(drop)
}

fn bury(transaction: &Transaction<'_>, message: &Message, reason: &str) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO dead_letters (source, topic, partition, \"offset\", sent_at, received_at, reason, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (source) DO NOTHING",
            params![
                message.source(),
                message.topic,
                message.partition,
                message.offset,
                seconds(message.timestamp),
                now(),
                reason,
                message.payload
            ],
        )
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(offset: i64, payload: &str) -> Message {
        Message {
            topic: "t".into(),
            partition: 0,
            offset,
            timestamp: 1_500,
            payload: payload.into(),
        }
    }

    fn opened() -> (tempfile::TempDir, ListenerDb) {
        let folder = tempfile::tempdir().unwrap();
        let db = ListenerDb::open(folder.path()).unwrap();
        (folder, db)
    }

    #[test]
    fn the_same_message_is_kept_once_and_handled_once() {
        let (_folder, mut db) = opened();
        let first = message(1, "a");
        db.keep(&[(&first, Sorted::ForUs), (&first, Sorted::ForUs)])
            .unwrap();
        let due = db.due(10).unwrap();
        assert_eq!((due.len(), due[0].sent_at), (1, 1.5));
        db.handled(&due[0]).unwrap();
        db.keep(&[(&first, Sorted::ForUs)]).unwrap();
        assert_eq!((db.due(10).unwrap(), db.depth().unwrap()), (vec![], 0));
        assert!(db.knows(&first.source()).unwrap());
    }

    #[test]
    fn one_that_is_postponed_waits_and_the_next_has_its_turn() {
        let (_folder, mut db) = opened();
        let (a, b) = (message(1, "a"), message(2, "b"));
        db.keep(&[(&a, Sorted::ForUs), (&b, Sorted::ForUs)])
            .unwrap();
        db.postpone(&db.due(1).unwrap()[0], "locked").unwrap();
        let due = db.due(10).unwrap();
        assert_eq!((due.len(), due[0].payload.as_slice()), (1, b"b".as_slice()));
        assert_eq!(db.depth().unwrap(), 2);
    }

    #[test]
    fn a_dead_letter_can_be_handed_in_again() {
        let (_folder, mut db) = opened();
        db.keep(&[(&message(5, "x"), Sorted::Dead("nonsense".into()))])
            .unwrap();
        let letters = db.dead_letters().unwrap();
        assert_eq!(
            (letters.len(), letters[0].offset, letters[0].reason.as_str()),
            (1, 5, "nonsense")
        );
        assert!(db.replay(letters[0].id).unwrap() && !db.replay(letters[0].id).unwrap());
        assert_eq!(
            (db.due(10).unwrap().len(), db.dead_letters().unwrap()),
            (1, vec![])
        );
        db.give_up(&db.due(1).unwrap()[0], "still nonsense")
            .unwrap();
        assert_eq!(
            (
                db.depth().unwrap(),
                db.dead_letters().unwrap()[0].reason.as_str()
            ),
            (0, "still nonsense")
        );
    }
}
