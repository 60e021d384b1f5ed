//! What follows from a batch of notifications: each is read, and each proposal looked for once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use runledger_context::run::Proposal;
use tracing::{info, warn};

use super::batch::Batch;
use super::{Listener, tell_of_delay};
use crate::listener_db::Fate;
use crate::notification::{self, Notification};
use crate::plan::{Site, plan};
use crate::{Error, Result};

/// What is known of the proposals of a batch.
struct Known {
    sites: Vec<Site>,
    is_static: bool,
    /// Each proposal's own database, if it has one; or why that cannot be told now.
    usual: BTreeMap<Proposal, std::result::Result<Option<PathBuf>, String>>,
}

impl Listener {
    /// Orders the jobs that follow from the notifications.
    pub(super) fn plan(&mut self, batch: &mut Batch) -> Result<()> {
        let mut known = Known {
            sites: self.db.sites()?,
            is_static: self.db.is_static()?,
            usual: BTreeMap::new(),
        };
        for index in 0..batch.letters().len() {
            match self.understood(&batch.letters()[index].payload) {
                Ok(notification) => self.plan_one(index, &notification, &mut known, batch)?,
                Err(why) => {
                    let letter = &batch.letters()[index];
                    warn!(topic = letter.topic, "a dead letter again: {why}");
                    self.numbers.event("dead");
                    batch.note(index, Fate::Dead(why));
                }
            }
        }
        Ok(())
    }

    fn understood(&self, payload: &[u8]) -> std::result::Result<Notification, String> {
        match notification::parse(payload, &self.settings.notifications) {
            Ok(Some(notification)) => Ok(notification),
            Ok(None) => Err("no event of this name announces data".into()),
            Err(why) => Err(why.to_string()),
        }
    }

    /// The databases that are known have their turn also where the proposal's own one cannot be looked for now.
    fn plan_one(
        &mut self,
        index: usize,
        notification: &Notification,
        known: &mut Known,
        batch: &mut Batch,
    ) -> Result<()> {
        let usual = self.usual_database(notification.run.proposal, known);
        if let Err(why) = &usual {
            batch.note(index, Fate::Later(why.clone()));
        }
        let found = usual.ok().flatten();
        let plan = plan(notification, &known.sites, found.as_deref());
        if let Some(site) = plan.register {
            info!(proposal = site.proposal.0, folder = %site.database_dir.display(), "watching a new database");
            self.db.watch(&site)?;
            known.sites.push(site);
        }
        if plan.jobs.is_empty() {
            let (proposal, run) = (notification.run.proposal.0, notification.run.number.0);
            self.numbers.event("nothing");
            info!(proposal, run, data = %notification.data, "no database of this proposal is watched");
        }
        batch.order(index, plan.jobs);
        Ok(())
    }

    /// In dynamic mode, the proposal's own database, if it has one.
    fn usual_database(
        &mut self,
        proposal: Proposal,
        known: &mut Known,
    ) -> std::result::Result<Option<PathBuf>, String> {
        if known.is_static {
            return Ok(None);
        }
        let look = || {
            self.look_for_usual(proposal).map_err(|why| {
                tell_of_delay(proposal, &why, 1);
                why.to_string()
            })
        };
        known.usual.entry(proposal).or_insert_with(look).clone()
    }

    fn look_for_usual(&mut self, proposal: Proposal) -> Result<Option<PathBuf>> {
        let Some(folder) = self.proposals.find(proposal) else {
            return self.miss_no_root().map(|()| None);
        };
        let usual = folder.join(&self.settings.data.database);
        Ok(usual.join("runs.sqlite").is_file().then_some(usual))
    }

    /// A proposal that was not found has no folder only if the data root is there.
    fn miss_no_root(&mut self) -> Result<()> {
        let (root, now) = (self.settings.data.root.clone(), Instant::now());
        if let Some(reason) = self.resting.reason(&root, now) {
            let (folder, reason) = (root, reason.to_owned());
            return Err(Error::Resting { folder, reason });
        }
        match self.proposals.root() {
            Ok(_) => self.resting.answered(&root),
            Err(why) => {
                self.resting.failed(&root, now, why.to_string(), false);
                return Err(why);
            }
        }
        Ok(())
    }
}
