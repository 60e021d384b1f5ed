//! Messages that no broker took yet, in the order in which they were to go.

use runledger_steps::{Step, reached};
use rusqlite::{Row, Transaction, TransactionBehavior, params};

use super::{Ledger, now};
use crate::Result;

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the line.
    pub id: i64,
    /// Where it is to go.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Puts messages into the outbox, with whatever else the transaction changes.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    messages: &[(String, Vec<u8>)],
) -> rusqlite::Result<()> {
    for (topic, payload) in messages {
        transaction.execute(
            "INSERT INTO outbox (topic, payload, created_at) VALUES (?1, ?2, ?3)",
            params![topic, payload, now()],
        )?;
    }
    Ok(())
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        id: row.get(0)?,
        topic: row.get(1)?,
        payload: row.get(2)?,
    })
}

impl Ledger {
    /// Keeps messages until a broker is there.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn keep_messages(&mut self, messages: &[(String, Vec<u8>)]) -> Result<()> {
        let kept = self.try_keep(messages);
        self.done(kept)
    }

    fn try_keep(&mut self, messages: &[(String, Vec<u8>)]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        keep(&transaction, messages)?;
        transaction.commit()?;
        reached(Step::MessageKept);
        Ok(())
    }

    /// The messages that wait, first to go first.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn waiting_messages(&self) -> Result<Vec<Waiting>> {
        let read = || -> rusqlite::Result<Vec<Waiting>> {
            let mut statement = self
                .connection
                .prepare("SELECT id, topic, payload FROM outbox ORDER BY id")?;
            statement.query_map([], waiting)?.collect()
        };
        self.done(read())
    }

    /// Of each topic the first messages that wait, at most so many; first to go first.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn first_messages(&self, of_each_topic: u32) -> Result<Vec<Waiting>> {
        let read = || -> rusqlite::Result<Vec<Waiting>> {
            let mut statement = self.connection.prepare(
                "SELECT id, topic, payload FROM (
                     SELECT id, topic, payload, row_number() OVER (PARTITION BY topic ORDER BY id) AS place FROM outbox
                 ) WHERE place <= ?1 ORDER BY id",
            )?;
            statement.query_map([of_each_topic], waiting)?.collect()
        };
        self.done(read())
    }

    /// Puts two messages into the place of one: all or nothing, behind what waits.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn replace_message(&mut self, id: i64, topic: &str, parts: &[Vec<u8>; 2]) -> Result<()> {
        let done = self.try_replace(id, topic, parts);
        self.done(done)
    }

    fn try_replace(&mut self, id: i64, topic: &str, parts: &[Vec<u8>; 2]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have done so.
        if transaction.execute("DELETE FROM outbox WHERE id = ?1", [id])? > 0 {
            let new: Vec<_> = parts
                .iter()
                .map(|part| (topic.to_owned(), part.clone()))
                .collect();
            keep(&transaction, &new)?;
        }
        transaction.commit()
    }

    /// Whether any message waits.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn has_waiting_messages(&self) -> Result<bool> {
        let found = self
            .connection
            .query_row("SELECT EXISTS (SELECT 1 FROM outbox)", [], |row| row.get(0));
        self.done(found)
    }

    /// A broker has these messages.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`].
    pub fn messages_delivered(&mut self, ids: &[i64]) -> Result<()> {
        let done = self.try_forget(ids);
        self.done(done)
    }

    fn try_forget(&mut self, ids: &[i64]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for id in ids {
            transaction.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
        }
        transaction.commit()?;
        reached(Step::MessageForgotten);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_topic_some_have_their_turn_so_that_none_holds_another_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        let topics = ["missing", "missing", "missing", "there", "missing", "there"];
        let messages: Vec<_> = (0..)
            .zip(topics)
            .map(|(n, topic)| (topic.to_owned(), vec![n]))
            .collect();
        ledger.keep_messages(&messages).unwrap();
        let first = ledger.first_messages(2).unwrap();
        let order: Vec<u8> = first.iter().map(|message| message.payload[0]).collect();
        assert_eq!(order, [0, 1, 3, 5]);
    }
}
