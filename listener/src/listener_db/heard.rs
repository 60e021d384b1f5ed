//! Up to which moment a listener has heard what was sent: for when the broker has forgotten its position.

use std::collections::BTreeMap;

use super::ListenerDb;
use crate::Result;
use crate::message::Heard;

impl ListenerDb {
    /// For each partition that has notifications in the inbox, or dead letters, when the last of them was sent, or came,
    /// if that was earlier.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub(crate) fn heard(&self) -> Result<Heard> {
        let read = || -> rusqlite::Result<Heard> {
            let mut statement = self.connection.prepare(
                "WITH heard AS (SELECT topic, partition, sent_at, received_at FROM inbox
                     UNION ALL SELECT topic, partition, sent_at, received_at FROM dead_letters)
                 SELECT topic, partition, max(min(coalesce(sent_at, received_at), received_at))
                 FROM heard GROUP BY topic, partition",
            )?;
            let rows = statement.query_map([], |row| {
                let seconds: f64 = row.get(2)?;
                let milliseconds = (seconds * 1000.0) as i64;
                Ok(((row.get(0)?, row.get(1)?), milliseconds))
            })?;
            rows.collect::<rusqlite::Result<BTreeMap<_, _>>>()
        };
        self.done(read())
    }
}

#[cfg(test)]
mod tests {
    use super::super::inbox::Sorted;
    use super::super::inbox::tests::{message, opened};
    use crate::message::Message;

    #[test]
    fn the_last_moment_counts_but_none_that_is_still_to_come() {
        let (_folder, mut db) = opened();
        assert!(db.heard().unwrap().is_empty());
        let sent = |partition, offset, timestamp| Message {
            partition,
            timestamp,
            ..message(offset, &format!("{partition}/{offset}"))
        };
        let all = [sent(0, 1, 5000), sent(0, 2, 3000), sent(1, 1, i64::MAX)];
        let [first, second, third] = &all;
        let dead = sent(2, 1, 7000);
        db.keep(&[
            (first, Sorted::ForUs),
            (second, Sorted::ForUs),
            (third, Sorted::ForUs),
            (&dead, Sorted::Dead("no run".into())),
        ])
        .unwrap();
        let heard = db.heard().unwrap();
        let of = |partition| heard[&("t".to_owned(), partition)];
        assert_eq!((of(0), of(2)), (5000, 7000));
        let now = (super::super::now() * 1000.0) as i64;
        assert!((now - 60_000..=now).contains(&of(1)), "{}", of(1));
    }
}
