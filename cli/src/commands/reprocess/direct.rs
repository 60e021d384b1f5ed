//! `reprocess --direct`: one job after the other, here and now.

use runledger_listener::combiner;
use runledger_listener::job::Job;
use runledger_listener::job_end::{self, Outcome, Retries};
use runledger_listener::ledger::Ledger;
use runledger_listener::queue::run_in_foreground;

use super::progress::Progress;
use crate::commands::{FAREWELL, Site};
use crate::failure::Result;

/// Evaluates each run and shows what that prints.
pub(super) fn run(jobs: &[Job], site: &Site) -> Result {
    let progress = Progress::of(jobs.len());
    let mut failed = Vec::new();
    for (over, job) in jobs.iter().enumerate() {
        let more = match failed.len() {
            0 => format!(", {}", job.run),
            n => format!(", {n} failed, {}", job.run),
        };
        progress.set(over, more);
        if let Some(why) = evaluate(job, &progress, site)? {
            failed.push(format!("{}: {why}", job.run));
        }
    }
    progress.end();
    super::verdict(&failed, jobs.len())
}

/// Returns why the job did not finish.
fn evaluate(job: &Job, progress: &Progress, site: &Site) -> Result<Option<String>> {
    let ended = run_in_foreground(job, &site.local_jobs()?, progress.screen())?;
    // A process that it left behind may keep its output open.
    progress.end_line();
    progress.above(|| {
        let mut publisher = site.publisher()?;
        let mut ledger = Ledger::open(&job.database_dir)?;
        let outcome = job_end::settle(&mut ledger, &ended, &Retries::NONE, &mut publisher)?;
        if outcome != Outcome::Finished && !publisher.is_enabled() {
            // No combiner would hear of what was saved.
            let dir = &job.database_dir;
            combiner::merge_run(dir, job.run, combiner::ATTENDED, &mut publisher)?;
        }
        publisher.close(FAREWELL);
        // The job itself knows better than its exit code.
        let why = ledger
            .job(&job.processing_id)?
            .and_then(|entry| entry.message);
        Ok((outcome != Outcome::Finished).then(|| why.unwrap_or(ended.account.words)))
    })
}
