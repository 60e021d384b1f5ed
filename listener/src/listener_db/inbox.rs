//! What came in: on disk before Kafka hears that we have it.

use std::time::Duration;

use runledger_steps::{Step, reached};
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::dead_letters::{bury, give_up};
use super::{ListenerDb, now};
use crate::Result;
use crate::message::Message;

/// The first wait after a failure, in seconds; twice as long after each, up to the longest.
const FIRST_WAIT: f64 = 0.5;
const LONGEST_WAIT: f64 = 60.0;

/// So many bytes of messages are taken at once, and the message that goes beyond.
const BYTES_AT_ONCE: usize = 64 << 20;

/// A notification to which something is still to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Its place in the inbox.
    pub id: i64,
    /// Which message it is.
    pub source: String,
    /// The topic it was read from.
    pub topic: String,
    /// When it was sent, in seconds since 1970; when it was received, where the broker does not tell.
    pub sent_at: f64,
    /// When it was received, in seconds since 1970.
    pub received_at: f64,
    /// What it says.
    pub payload: Vec<u8>,
    /// How often it was tried.
    pub tries: u32,
    /// It is not tried again before, in seconds since 1970.
    pub next_try: f64,
    /// Why it still waits, once it was tried.
    pub last_error: Option<String>,
}

/// What is to be done with a message.
pub(crate) enum Sorted {
    /// Something follows from it.
    ForUs,
    /// It cannot be understood.
    Dead(String),
}

/// How a notification fared at its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Everything that follows from it is on disk.
    Handled,
    /// It is to be tried again, later, for this reason.
    Later(String),
    /// It can't be understood any more (the settings changed), for this reason.
    Dead(String),
    /// Its turn did not come.
    Untouched,
}

const COLUMNS: &str = "id, source, topic, coalesce(sent_at, received_at), received_at, payload, tries, next_try, last_error";

impl ListenerDb {
    /// Keeps messages, all or none. One that is there already changes nothing.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub(crate) fn keep(&mut self, messages: &[(&Message, Sorted)]) -> Result<()> {
        self.write(|transaction| {
            messages
                .iter()
                .try_for_each(|(message, sorted)| match sorted {
                    Sorted::ForUs => insert(transaction, message),
                    Sorted::Dead(reason) => bury(transaction, message, reason),
                })
        })?;
        reached(Step::InboxWritten);
        Ok(())
    }

    /// The notifications whose turn it is, first come first served; at most `limit`, and fewer of large ones.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn due(&self, limit: u32) -> Result<Vec<Letter>> {
        // One that is to wait for longer than any does was put off before the clock was set back.
        let is_due = format!("(next_try <= ?1 OR next_try > ?1 + {LONGEST_WAIT})");
        self.letters(&is_due, params![now(), limit], BYTES_AT_ONCE)
    }

    /// The notifications that wait, the first that came first: all, or at most `limit`, and fewer of large ones.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn waiting(&self, limit: Option<u32>) -> Result<Vec<Letter>> {
        let (most, bytes) = match limit {
            Some(limit) => (limit, BYTES_AT_ONCE),
            None => (u32::MAX, usize::MAX),
        };
        self.letters("?1 IS NULL", params![None::<f64>, most], bytes)
    }

    fn letters(
        &self,
        which: &str,
        values: &[&dyn rusqlite::ToSql],
        most_bytes: usize,
    ) -> Result<Vec<Letter>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM inbox WHERE done_at IS NULL AND {which} ORDER BY id LIMIT ?2"
        );
        let read = || -> rusqlite::Result<Vec<Letter>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let (mut letters, mut bytes) = (Vec::new(), 0);
            for letter in statement.query_map(values, letter)? {
                let letter = letter?;
                bytes += letter.payload.len();
                letters.push(letter);
                if bytes >= most_bytes {
                    break;
                }
            }
            Ok(letters)
        };
        self.done(read())
    }

    /// Writes down how notifications fared, all at once.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub(crate) fn settle(&mut self, fates: &[(&Letter, Fate)]) -> Result<()> {
        self.write(|transaction| {
            fates.iter().try_for_each(|(letter, fate)| match fate {
                Fate::Handled => handled(transaction, letter),
                Fate::Later(why) => postpone(transaction, letter, why),
                Fate::Dead(why) => give_up(transaction, letter.id, why),
                Fate::Untouched => Ok(()),
            })
        })?;
        reached(Step::NotificationsSettled);
        Ok(())
    }

    /// All notifications that wait are due now.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub(crate) fn hurry(&self) -> Result<()> {
        let sql = "UPDATE inbox SET next_try = 0 WHERE done_at IS NULL";
        self.done(self.connection.execute(sql, [])).map(drop)
    }

    /// How many notifications wait.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn depth(&self) -> Result<u32> {
        let sql = "SELECT count(*) FROM inbox WHERE done_at IS NULL";
        self.done(self.connection.query_row(sql, [], |row| row.get(0)))
    }

    /// How many notifications wait, and the oldest for how long.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn waiting_since(&self) -> Result<(u32, Duration)> {
        let sql = "SELECT count(*), min(received_at) FROM inbox WHERE done_at IS NULL";
        let found = self.connection.query_row(sql, [], |row| {
            Ok((row.get(0)?, row.get::<_, Option<f64>>(1)?))
        });
        let (depth, oldest) = self.done(found)?;
        let waited = oldest.map_or(0.0, |since| now() - since);
        let waited = Duration::try_from_secs_f64(waited).unwrap_or_default();
        Ok((depth, waited))
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

    /// Changes all or nothing, and costs one wait for the disk.
    pub(super) fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let changed = transaction.and_then(|transaction| {
            let changed = change(&transaction)?;
            transaction.commit()?;
            Ok(changed)
        });
        self.done(changed)
    }
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    Ok(Letter {
        id: row.get(0)?,
        source: row.get(1)?,
        topic: row.get(2)?,
        sent_at: row.get(3)?,
        received_at: row.get(4)?,
        payload: row.get(5)?,
        tries: row.get(6)?,
        next_try: row.get(7)?,
        last_error: row.get(8)?,
    })
}

fn handled(transaction: &Transaction<'_>, letter: &Letter) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE inbox SET done_at = ?2, last_error = NULL WHERE id = ?1")?
        .execute(params![letter.id, now()])
        .map(drop)
}

fn postpone(transaction: &Transaction<'_>, letter: &Letter, why: &str) -> rusqlite::Result<()> {
    let doublings = i32::try_from(letter.tries.min(30)).unwrap_or(30);
    let wait = (FIRST_WAIT * 2_f64.powi(doublings)).min(LONGEST_WAIT);
    transaction
        .prepare_cached(
            "UPDATE inbox SET tries = tries + 1, next_try = ?2, last_error = ?3 WHERE id = ?1",
        )?
        .execute(params![letter.id, now() + wait, why])
        .map(drop)
}

/// None where the broker knows no time, or none that a calendar has: a producer may write what it likes.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
pub(super) fn seconds(ms: i64) -> Option<f64> {
    const YEAR_10000: i64 = 253_402_300_800_000;
    (1..YEAR_10000).contains(&ms).then(|| ms as f64 / 1000.0)
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn message(offset: i64, payload: &str) -> Message {
        Message {
            topic: "t".into(),
            partition: 0,
            offset,
            timestamp: 1_500,
            payload: payload.into(),
        }
    }

    pub(crate) fn opened() -> (tempfile::TempDir, ListenerDb) {
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
        db.settle(&[(&due[0], Fate::Handled)]).unwrap();
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
        let first = db.due(1).unwrap().remove(0);
        db.settle(&[(&first, Fate::Later("locked".into()))])
            .unwrap();
        let due = db.due(10).unwrap();
        assert_eq!((due.len(), due[0].payload.as_slice()), (1, b"b".as_slice()));
        let waiting = db.waiting(Some(10)).unwrap();
        assert_eq!((waiting.len(), waiting[0].tries), (2, 1));
        assert_eq!(waiting[0].last_error.as_deref(), Some("locked"));
    }

    #[test]
    fn of_large_ones_fewer_are_taken_at_once() {
        let (_folder, mut db) = opened();
        let large = "x".repeat(BYTES_AT_ONCE / 2 + 1);
        for offset in 1..=3 {
            let one = Message {
                timestamp: offset,
                ..message(offset, &large)
            };
            db.keep(&[(&one, Sorted::ForUs)]).unwrap();
        }
        assert_eq!(db.due(10).unwrap().len(), 2);
        assert_eq!(db.waiting(Some(10)).unwrap().len(), 2);
        assert_eq!(db.waiting(None).unwrap().len(), 3);
    }

    #[test]
    fn one_that_was_put_off_before_the_clock_was_set_back_is_due_at_once() {
        let (_folder, mut db) = opened();
        let (a, b) = (message(1, "a"), message(2, "b"));
        db.keep(&[(&a, Sorted::ForUs), (&b, Sorted::ForUs)])
            .unwrap();
        let put_off = |id: i64, until: f64| {
            let sql = "UPDATE inbox SET next_try = ?2 WHERE id = ?1";
            db.connection.execute(sql, params![id, until]).unwrap()
        };
        put_off(1, now() + 5.0 * 3600.0);
        put_off(2, now() + LONGEST_WAIT / 2.0);
        let due: Vec<i64> = db.due(10).unwrap().iter().map(|letter| letter.id).collect();
        assert_eq!(due, [1]);
    }

    #[test]
    fn a_time_that_no_calendar_has_is_none() {
        let times = [i64::MIN, -1, 0, 1_000_000_000_000_000_000, i64::MAX];
        assert_eq!(times.map(seconds), [None; 5]);
        // 1970, 2026 and 2500.
        let times = [1, 1_780_000_000_000, 16_725_225_600_000];
        assert_eq!(times.map(|ms| seconds(ms).is_some()), [true; 3]);
        let (_folder, mut db) = opened();
        let far = Message {
            timestamp: 1_000_000_000_000_000_000,
            ..message(1, "a")
        };
        db.keep(&[(&far, Sorted::ForUs)]).unwrap();
        let letter = db.due(1).unwrap().remove(0);
        assert_eq!(letter.sent_at, letter.received_at);
    }

    #[test]
    fn one_whose_turn_did_not_come_is_due_as_before() {
        let (_folder, mut db) = opened();
        db.keep(&[(&message(1, "a"), Sorted::ForUs)]).unwrap();
        let due = db.due(10).unwrap();
        db.settle(&[(&due[0], Fate::Untouched)]).unwrap();
        assert_eq!(db.due(10).unwrap(), due);
    }
}
