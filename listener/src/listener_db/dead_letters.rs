//! Messages that could not be understood: kept aside with the reason, until a person hands them in again.

use rusqlite::{Transaction, params};

use super::inbox::seconds;
use super::{ListenerDb, now};
use crate::Result;
use crate::message::Message;

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
    /// When it was sent, in seconds since 1970, where the broker tells.
    pub sent_at: Option<f64>,
    /// When it came, in seconds since 1970.
    pub received_at: f64,
    /// What is wrong with it.
    pub reason: String,
    /// What it says.
    pub payload: Vec<u8>,
}

impl ListenerDb {
    /// The messages that could not be understood, oldest first.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        let read = || -> rusqlite::Result<Vec<DeadLetter>> {
            let mut statement = self.connection.prepare(
                "SELECT id, topic, partition, \"offset\", sent_at, received_at, reason, payload
                 FROM dead_letters ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(DeadLetter {
                    id: row.get(0)?,
                    topic: row.get(1)?,
                    partition: row.get(2)?,
                    offset: row.get(3)?,
                    sent_at: row.get(4)?,
                    received_at: row.get(5)?,
                    reason: row.get(6)?,
                    payload: row.get(7)?,
                })
            })?;
            rows.collect()
        };
        self.done(read())
    }

    /// How many messages could not be understood.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn dead(&self) -> Result<u32> {
        let sql = "SELECT count(*) FROM dead_letters";
        self.done(self.connection.query_row(sql, [], |row| row.get(0)))
    }

    /// Moves a dead letter into the inbox, where the settings may have changed so that it can be understood now. False
    /// if there is none of this number. One that still cannot be understood comes back.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn replay(&mut self, id: i64) -> Result<bool> {
        Ok(self.write(|transaction| move_back(transaction, Some(id)))? > 0)
    }

    /// The same for all of them; returns how many there were.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn replay_all(&mut self) -> Result<usize> {
        self.write(|transaction| move_back(transaction, None))
    }
}

/// One dead letter, or all.
fn move_back(transaction: &Transaction<'_>, id: Option<i64>) -> rusqlite::Result<usize> {
    let moved = transaction.execute(
        "INSERT INTO inbox (source, topic, partition, \"offset\", sent_at, received_at, payload)
         SELECT source, topic, partition, \"offset\", sent_at, received_at, payload FROM dead_letters
         WHERE ?1 IS NULL OR id = ?1
         ON CONFLICT (source) DO UPDATE SET done_at = NULL, next_try = 0, tries = 0",
        [id],
    )?;
    transaction.execute("DELETE FROM dead_letters WHERE ?1 IS NULL OR id = ?1", [id])?;
    Ok(moved)
}

/// From the inbox to the dead letters.
pub(super) fn give_up(
    transaction: &Transaction<'_>,
    id: i64,
    reason: &str,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO dead_letters (source, topic, partition, \"offset\", sent_at, received_at, reason, payload)
         SELECT source, topic, partition, \"offset\", sent_at, received_at, ?2, payload FROM inbox WHERE id = ?1
         ON CONFLICT (source) DO NOTHING",
        params![id, reason],
    )?;
    transaction.execute("DELETE FROM inbox WHERE id = ?1", [id])?;
    Ok(())
}

pub(super) fn bury(
    transaction: &Transaction<'_>,
    message: &Message,
    reason: &str,
) -> rusqlite::Result<()> {
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
    use super::super::inbox::tests::{message, opened};
    use super::super::inbox::{Fate, Sorted};

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
        let due = db.due(10).unwrap();
        assert_eq!((due.len(), db.dead().unwrap()), (1, 0));
        db.settle(&[(&due[0], Fate::Dead("still nonsense".into()))])
            .unwrap();
        assert_eq!(
            (
                db.depth().unwrap(),
                db.dead_letters().unwrap()[0].reason.as_str()
            ),
            (0, "still nonsense")
        );
    }

    #[test]
    fn all_dead_letters_can_be_handed_in_again_at_once() {
        let (_folder, mut db) = opened();
        let (a, b) = (message(1, "a"), message(2, "b"));
        let dead = || Sorted::Dead("nonsense".into());
        db.keep(&[(&a, dead()), (&b, dead())]).unwrap();
        assert_eq!((db.replay_all().unwrap(), db.replay_all().unwrap()), (2, 0));
        assert_eq!((db.depth().unwrap(), db.dead().unwrap()), (2, 0));
    }
}
