//! The inbox forgets what was handled long ago.
//!
//! A handled notification is kept to recognise the same message when it is read again: after a crash, after its
//! producer repeated it, or from a position that was set back. So it goes only when it was handled
//! [`KEPT`] ago and the group's position on the broker is behind it. Should it come once more after that, the
//! ledgers of the databases still know it. The last one of each partition stays, to say up to when was heard what was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Transaction, params};

use super::{ListenerDb, now};
use crate::Result;

/// For how long a handled notification is kept at least.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many are looked at and removed at once.
pub(crate) const PRUNED_AT_ONCE: usize = 10_000;

/// How far a group has read, as the broker knows it: `(topic, partition, next offset)`.
pub(crate) type Committed = Vec<(String, i32, Option<i64>)>;

impl ListenerDb {
    /// Removes notifications that were handled more than `kept` ago, the oldest first, and returns how many. Those
    /// that lie at or behind the position of a partition in `committed` stay; in partitions that are not there nothing
    /// is read any more.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub(crate) fn prune(&mut self, committed: &Committed, kept: Duration) -> Result<usize> {
        let positions: BTreeMap<(&str, i32), Option<i64>> = committed
            .iter()
            .map(|(topic, partition, next)| ((topic.as_str(), *partition), *next))
            .collect();
        let is_past = |topic: &str, partition: i32, offset: i64| {
            let next = positions.get(&(topic, partition));
            next.is_none_or(|next| next.is_some_and(|next| offset < next))
        };
        let before = now() - kept.as_secs_f64();
        self.write(|transaction| {
            let old = handled_before(transaction, before)?;
            let mut remove = transaction.prepare_cached(
                "DELETE FROM inbox WHERE id = ?1 AND EXISTS (SELECT 1 FROM inbox AS later WHERE later.id > inbox.id
                     AND later.topic = inbox.topic AND later.partition = inbox.partition)",
            )?;
            let mut removed = 0;
            for (id, topic, partition, offset) in old {
                if is_past(&topic, partition, offset) {
                    removed += remove.execute([id])?;
                }
            }
            Ok(removed)
        })
    }
}

/// Number and place of the notifications that were handled first.
fn handled_before(
    transaction: &Transaction<'_>,
    before: f64,
) -> rusqlite::Result<Vec<(i64, String, i32, i64)>> {
    let mut old = transaction.prepare_cached(
        "SELECT id, topic, partition, \"offset\" FROM inbox WHERE done_at < ?1 ORDER BY done_at LIMIT ?2",
    )?;
    let at_once = i64::try_from(PRUNED_AT_ONCE).unwrap_or(i64::MAX);
    let rows = old.query_map(params![before, at_once], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::super::inbox::tests::{message, opened};
    use super::super::inbox::{Fate, Sorted};
    use super::*;

    /// An inbox of three: the first two are handled.
    fn inbox() -> (tempfile::TempDir, ListenerDb) {
        let (folder, mut db) = opened();
        let all = [message(1, "a"), message(2, "b"), message(3, "c")];
        let kept: Vec<_> = all.iter().map(|one| (one, Sorted::ForUs)).collect();
        db.keep(&kept).unwrap();
        let due = db.due(2).unwrap();
        let fates: Vec<_> = due.iter().map(|one| (one, Fate::Handled)).collect();
        db.settle(&fates).unwrap();
        (folder, db)
    }

    fn at(next: i64) -> Committed {
        vec![("t".into(), 0, Some(next))]
    }

    #[test]
    fn what_was_handled_lately_and_what_waits_are_kept() {
        let (_folder, mut db) = inbox();
        assert_eq!(db.prune(&at(9), KEPT).unwrap(), 0);
        assert_eq!(db.prune(&at(9), Duration::ZERO).unwrap(), 2);
        assert_eq!(
            (
                db.depth().unwrap(),
                db.knows(&message(1, "a").source()).unwrap()
            ),
            (1, false)
        );
    }

    #[test]
    fn the_last_of_a_partition_is_kept() {
        let (_folder, mut db) = inbox();
        let due = db.due(9).unwrap();
        let fates: Vec<_> = due.iter().map(|one| (one, Fate::Handled)).collect();
        db.settle(&fates).unwrap();
        assert_eq!(db.prune(&at(9), Duration::ZERO).unwrap(), 2);
        assert!(db.knows(&message(3, "c").source()).unwrap());
    }

    #[test]
    fn what_may_be_read_again_is_kept_however_old() {
        let (_folder, mut db) = inbox();
        assert_eq!(db.prune(&at(2), Duration::ZERO).unwrap(), 1);
        assert!(db.knows(&message(2, "b").source()).unwrap());
        let unknown = vec![("t".into(), 0, None)];
        assert_eq!(db.prune(&unknown, Duration::ZERO).unwrap(), 0);
        // Nothing is read there any more.
        assert_eq!(db.prune(&Vec::new(), Duration::ZERO).unwrap(), 1);
    }
}
