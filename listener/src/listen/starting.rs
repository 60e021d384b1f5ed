//! From the inbox to the ledgers, database by database.

use std::path::Path;
use std::time::Instant;

use runledger_storage::Database;
use tracing::info;

use super::batch::{self, Batch, Order};
use super::{Listener, PATIENCE, ROUND, tell_of_delay};
use crate::job::Job;
use crate::ledger::{Ledger, Planned};
use crate::listener_db::{Fate, Letter};
use crate::{Error, Result};

/// How many runs of one database are written down at once.
const SHARE: usize = 500;

impl Listener {
    /// Databases whose turn does not come in this round have it in the next one.
    pub(super) fn handle(&mut self, letters: Vec<Letter>) -> Result<()> {
        let mut batch = Batch::of(letters);
        self.plan(&mut batch)?;
        let begun = Instant::now();
        for (folder, orders) in batch.take_orders(SHARE) {
            match begun.elapsed() > ROUND {
                true => batch.note_all(&orders, &Fate::Untouched),
                false => self.start_share(&folder, &orders, &mut batch),
            }
        }
        self.db.settle(&batch.fates())
    }

    /// A database that fails postpones its own notifications and no others.
    fn start_share(&mut self, folder: &Path, orders: &[Order], batch: &mut Batch) {
        let Err(why) = self.start_if_answering(folder, orders, batch) else {
            return;
        };
        self.numbers.retries(&why, orders.len());
        tell_of_delay(orders[0].job.run.proposal, &why, orders.len());
        batch.note_all(orders, &Fate::Later(why.to_string()));
    }

    /// A database that failed just now is left alone: a hundred notifications for one that is locked cost the others
    /// no more than one does.
    fn start_if_answering(&mut self, folder: &Path, orders: &[Order], batch: &Batch) -> Result<()> {
        if let Some(reason) = self.resting.reason(folder, Instant::now()) {
            let (folder, reason) = (folder.to_path_buf(), reason.to_owned());
            return Err(Error::Resting { folder, reason });
        }
        let started = self.start(folder, orders, batch);
        match &started {
            Ok(()) => self.resting.answered(folder),
            Err(why) => {
                let (now, reason) = (Instant::now(), why.to_string());
                self.resting.failed(folder, now, reason, why.is_lock());
            }
        }
        started
    }

    /// The runs' rows, the ledger's entries, then whoever submits them: in this order, so that each step can be repeated.
    fn start(&mut self, folder: &Path, orders: &[Order], batch: &Batch) -> Result<()> {
        let mut db = Database::open_with_timeout(folder, PATIENCE)?;
        let sent_at = |order: &Order| batch.letter_of(order).sent_at;
        db.ensure_runs(orders.iter().map(|order| (order.job.run, sent_at(order))))?;
        let mut ledger = Ledger::open_with_patience(folder, PATIENCE)?;
        let planned = ledger.plan_all(&batch::wishes(batch, orders))?;
        for planned in &planned {
            self.numbers.event(followed(planned));
        }
        let all = orders.iter().map(|order| &order.job).zip(planned);
        let new: Vec<Job> = all
            .filter(|(job, planned)| is_new(job, planned))
            .map(|(job, _)| job.clone())
            .collect();
        // Also where none is new: we may have stopped between the ledger and the inbox.
        self.dispatch.planned(folder, new);
        Ok(())
    }
}

/// In a word, for the numbers.
fn followed(planned: &Planned) -> &'static str {
    match planned {
        Planned::New => "job",
        Planned::SameSource { .. } => "known",
        Planned::Coalesced { .. } => "coalesced",
    }
}

/// Whether this job was planned just now, and not an earlier one that does for it.
fn is_new(job: &Job, planned: &Planned) -> bool {
    let (proposal, run, data) = (job.run.proposal.0, job.run.number.0, job.data.as_str());
    match planned {
        Planned::New => {
            info!(proposal, run, data, folder = %job.database_dir.display(), "job planned");
        }
        Planned::SameSource { state, .. } => {
            let state = state.as_str();
            info!(proposal, run, data, state, "has its job already");
        }
        Planned::Coalesced { .. } => {
            info!(
                proposal,
                run, data, "a job that has not started yet will see it"
            );
        }
    }
    *planned == Planned::New
}
