//! Whose jobs are meant: those of one database, or of all that a listener watches.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use runledger_listener::dispatch::Dispatcher;
use runledger_listener::ledger::{Attempt, Entry, Ledger};
use runledger_listener::listener_db::{FILE_NAME, ListenerDb};
use runledger_storage::Database;

use super::{Job, Site};
use crate::arguments::Place;
use crate::commands::FAREWELL;
use crate::failure::Result;
use crate::place;

/// The folders of databases.
pub(super) struct Databases {
    folders: Vec<PathBuf>,
    /// One that cannot be read keeps nothing of the others back.
    are_watched: bool,
}

impl Databases {
    /// The database in the folder that is meant; in a listener's folder, all that it watches.
    pub(super) fn meant(here: &Path, asked: &Place, site: &Site) -> Result<Self> {
        let dir = place::within(asked, here, &site.config)?;
        // Whoever opens what is no file in its place says what it is.
        let has = |name| dir.join(name).symlink_metadata().is_ok();
        let is_listeners = has(FILE_NAME) && !has("runs.sqlite");
        if is_listeners {
            return Self::watched(&dir);
        }
        Database::open(&dir)?;
        Ok(Self {
            folders: vec![dir],
            are_watched: false,
        })
    }

    fn watched(listener: &Path) -> Result<Self> {
        let sites = ListenerDb::open_to_read(listener)?.sites()?;
        let mut folders: Vec<PathBuf> = sites.into_iter().map(|site| site.database_dir).collect();
        folders.sort();
        folders.dedup();
        Ok(Self {
            folders,
            are_watched: true,
        })
    }

    /// Their jobs as the queues say that they are now, oldest first.
    pub(super) fn asked_jobs(&self, site: &Site) -> Result<Vec<Job>> {
        let with_jobs: Vec<_> = self.folders.iter().filter(|dir| has_jobs(dir)).collect();
        if !with_jobs.is_empty() {
            let dispatcher = site.dispatcher()?;
            with_jobs.into_iter().for_each(|dir| ask(&dispatcher, dir));
            dispatcher.close(FAREWELL);
        }
        self.jobs()
    }

    /// Their jobs as the ledgers have them, oldest first.
    pub(super) fn jobs(&self) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        for dir in &self.folders {
            match all(dir) {
                Ok(of_dir) => jobs.extend(of_dir),
                Err(why) if self.are_watched => {
                    eprintln!("warning: the jobs of {} are left out: {why}", dir.display());
                }
                Err(why) => return Err(why),
            }
        }
        if self.are_watched {
            let planned = |job: &Job| job.entry.planned_at;
            jobs.sort_by(|one, other| planned(one).total_cmp(&planned(other)));
        }
        Ok(jobs)
    }
}

/// Asks the queues, so that the ledger knows what they do. Where nothing can be shown then, whoever shows it says why.
fn ask(dispatcher: &Dispatcher, dir: &Path) {
    if let Err(why) = dispatcher.refresh(dir)
        && all(dir).is_ok()
    {
        eprintln!(
            "warning: this is how the jobs of {} were last seen; it cannot be asked how they are now: {why}",
            dir.display()
        );
    }
}

/// Whether there has been any job: looking makes no ledger.
fn has_jobs(dir: &Path) -> bool {
    Ledger::is_in(dir)
}

/// All jobs of a database, oldest first.
pub(super) fn all(dir: &Path) -> Result<Vec<Job>> {
    if !has_jobs(dir) {
        return Ok(Vec::new());
    }
    let ledger = Ledger::open_to_read(dir)?;
    let mut attempts = HashMap::<String, Vec<Attempt>>::new();
    for attempt in ledger.all_attempts()? {
        let of_job = attempts.entry(attempt.processing_id.clone()).or_default();
        of_job.push(attempt);
    }
    let with_attempts = |entry: Entry| Job {
        attempts: attempts
            .remove(&entry.job.processing_id)
            .unwrap_or_default(),
        entry,
    };
    Ok(ledger.jobs()?.into_iter().map(with_attempts).collect())
}
