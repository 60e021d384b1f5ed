//! Many notifications at once: what follows from them, gathered by database, so that each database is opened and
//! written once, however many of its runs have come.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::job::Job;
use crate::listener_db::{Fate, Letter};

/// A job that follows from a notification, not yet in any ledger.
#[derive(Debug)]
pub(super) struct Order {
    /// Which of the batch's notifications.
    pub(super) letter: usize,
    /// The job.
    pub(super) job: Job,
}

/// Notifications, how each has fared so far, and the jobs that follow.
#[derive(Debug)]
pub(super) struct Batch {
    letters: Vec<Letter>,
    fates: Vec<Fate>,
    orders: BTreeMap<PathBuf, Vec<Order>>,
}

impl Batch {
    /// Nothing follows from the notifications yet, and so they are handled.
    pub(super) fn of(letters: Vec<Letter>) -> Self {
        Self {
            fates: vec![Fate::Handled; letters.len()],
            orders: BTreeMap::new(),
            letters,
        }
    }

    pub(super) fn letters(&self) -> &[Letter] {
        &self.letters
    }

    /// The notification that a job follows from.
    pub(super) fn letter_of(&self, order: &Order) -> &Letter {
        &self.letters[order.letter]
    }

    /// Jobs follow from the notification at `letter`.
    pub(super) fn order(&mut self, letter: usize, jobs: Vec<Job>) {
        for job in jobs {
            let of_folder = self.orders.entry(job.database_dir.clone()).or_default();
            of_folder.push(Order { letter, job });
        }
    }

    /// The jobs by database, at most `at_most` at a time, and first those of the database that has waited for longest.
    /// They are in the batch no more.
    pub(super) fn take_orders(&mut self, at_most: usize) -> Vec<(PathBuf, Vec<Order>)> {
        let mut shares = Vec::new();
        for (folder, mut orders) in std::mem::take(&mut self.orders) {
            while orders.len() > at_most {
                let rest = orders.split_off(at_most);
                shares.push((folder.clone(), std::mem::replace(&mut orders, rest)));
            }
            shares.push((folder, orders));
        }
        shares.sort_by_key(|(_, orders)| orders[0].letter);
        shares
    }

    /// A notification does not fare better than its worst job: what was not done is still to be done.
    pub(super) fn note(&mut self, letter: usize, fate: Fate) {
        let known = &mut self.fates[letter];
        if rank(&fate) > rank(known) {
            *known = fate;
        }
    }

    /// How the notifications of some jobs fared.
    pub(super) fn note_all(&mut self, orders: &[Order], fate: &Fate) {
        for order in orders {
            self.note(order.letter, fate.clone());
        }
    }

    /// Every notification with how it fared.
    pub(super) fn fates(&self) -> Vec<(&Letter, Fate)> {
        self.letters
            .iter()
            .zip(self.fates.iter().cloned())
            .collect()
    }
}

fn rank(fate: &Fate) -> u8 {
    match fate {
        Fate::Handled => 0,
        Fate::Untouched => 1,
        Fate::Later(_) => 2,
        Fate::Dead(_) => 3,
    }
}

/// What a database's share of a batch is about, for its ledger.
pub(super) fn wishes<'a>(batch: &'a Batch, orders: &'a [Order]) -> Vec<(Option<&'a str>, &'a Job)> {
    let wish = |order: &'a Order| (Some(batch.letter_of(order).source.as_str()), &order.job);
    orders.iter().map(wish).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;
    use runledger_context::run::{RunData, RunId};

    fn letters(count: usize) -> Vec<Letter> {
        let letter = |id| Letter {
            id,
            source: format!("s{id}"),
            topic: "t".into(),
            sent_at: 0.0,
            received_at: 0.0,
            payload: Vec::new(),
            tries: 0,
            next_try: 0.0,
            last_error: None,
        };
        (0..).take(count).map(letter).collect()
    }

    fn job(dir: &str) -> Job {
        let request = Request::default();
        Job::new(RunId::new(1, 1), RunData::Raw, dir.into(), request)
    }

    #[test]
    fn jobs_are_gathered_by_database_in_the_order_in_which_they_came() {
        let mut batch = Batch::of(letters(5));
        for letter in 0..5 {
            batch.order(letter, vec![job("/b"), job("/a")]);
        }
        let shares = batch.take_orders(2);
        let sizes: Vec<_> = shares
            .iter()
            .map(|(folder, orders)| (folder.to_str().unwrap(), orders.len()))
            .collect();
        assert_eq!(
            sizes,
            [
                ("/a", 2),
                ("/b", 2),
                ("/a", 2),
                ("/b", 2),
                ("/a", 1),
                ("/b", 1)
            ]
        );
        assert_eq!(batch.letter_of(&shares[4].1[0]).id, 4);
    }

    #[test]
    fn a_notification_is_handled_when_all_of_its_databases_are() {
        let mut batch = Batch::of(letters(2));
        batch.note(0, Fate::Later("locked".into()));
        batch.note(0, Fate::Handled);
        batch.note(0, Fate::Untouched);
        let fates: Vec<_> = batch.fates().into_iter().map(|(_, fate)| fate).collect();
        assert_eq!(fates, [Fate::Later("locked".into()), Fate::Handled]);
    }
}
