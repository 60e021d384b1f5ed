//! `reprocess`: runs are evaluated again, by the queue or here and now.

mod direct;
mod progress;
mod queued;
mod runs;
mod screen;
mod watch;

use std::path::Path;

use runledger_context::run::RunData;
use runledger_listener::counting::counted;
use runledger_listener::job::Job;
use runledger_storage::Database;

use super::{Site, extract};
use crate::arguments::Reprocess;
use crate::failure::{Failure, Result};
use crate::place;

/// Evaluates runs again.
pub(super) fn run(here: &Path, reprocess: Reprocess, site: &Site) -> Result {
    let dir = place::within(&reprocess.place, here, &site.config)?;
    let runs = runs::wanted(&Database::open(&dir)?, &reprocess, &site.config)?;
    if runs.is_empty() {
        println!("There is no run to evaluate.");
        return Ok(());
    }
    let mut request = extract::request(reprocess.choice);
    let mut jobs = Vec::new();
    for run in runs {
        // Only the first one: the context file is the same for all.
        request.update_variables = jobs.is_empty();
        jobs.push(Job::new(run, RunData::All, dir.clone(), request.clone()));
    }
    if reprocess.direct {
        return direct::run(&jobs, site);
    }
    let ways = queued::Ways {
        watch: reprocess.watch,
        concurrent: reprocess.concurrent_jobs.map(|set| set as usize),
        within: reprocess.place.within,
    };
    queued::run(here, &dir, &jobs, &ways, site)
}

/// The jobs of which some did not finish; each with why.
fn verdict(failed: &[String], count: usize) -> Result {
    match failed.len() {
        0 => Ok(()),
        n => Err(Failure::partly(format!(
            "{n} of {} did not finish:\n  {}",
            counted(count, "job"),
            failed.join("\n  ")
        ))
        .hint("the logs are in process_logs; `runledger jobs` knows more")),
    }
}
