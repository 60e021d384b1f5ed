//! Where it is written down what is merged: the run table, then the ledger with the news.

use std::path::Path;
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_storage::Database;
use runledger_storage::fragment::Summaries;
use tracing::warn;

use super::merging::Found;
use crate::Result;
use crate::ledger::Ledger;
use crate::updates::Update;

/// The books of one folder.
pub(super) struct Books {
    db: Database,
    pub(super) ledger: Ledger,
    /// Where the news goes, if it is to be told.
    topic: Option<String>,
}

impl Books {
    /// Another program may hold the table for `patience`, at every call.
    pub(super) fn open(database_dir: &Path, patience: Duration, tells: bool) -> Result<Self> {
        let mut db = Database::open_with_timeout(database_dir, patience)?;
        db.await_turn()?;
        Ok(Self {
            topic: tells.then(|| db.update_topic()),
            ledger: Ledger::open(database_dir)?,
            db,
        })
    }

    /// The database's folder.
    pub(super) fn dir(&self) -> &Path {
        self.db.dir()
    }

    /// The rows, how new they are, and the news.
    pub(super) fn enter(&mut self, run: RunId, merged: &[Found]) -> Result<()> {
        for found in merged {
            self.save(run, &found.summaries)?;
        }
        let names: Vec<(&str, f64)> = merged
            .iter()
            .flat_map(|found| {
                let rows = found.summaries.rows.iter();
                rows.map(|(name, _)| (name.as_str(), found.written_at))
            })
            .collect();
        let update = Update::values(run, names.iter().map(|(name, _)| *name));
        let topic = self.topic.clone().filter(|_| !names.is_empty());
        let news = topic.map(|topic| (topic, update.payload()));
        self.ledger.note_merge(run, &names, news)
    }

    fn save(&mut self, run: RunId, summaries: &Summaries) -> Result<()> {
        let Summaries {
            rows,
            start_time,
            provenance,
        } = summaries;
        let saved = self.db.save_cells(run, rows, *start_time, provenance)?;
        for (name, why) in &saved.refused {
            warn!(
                proposal = run.proposal.0,
                run = run.number.0,
                "{name} is not in the table: {why}"
            );
        }
        Ok(())
    }
}
