//! `jobs`: how they are, and what people want of them.

mod change;
mod choice;
mod databases;
mod list;
mod log;
mod log_part;
mod picture;
mod show;
pub(super) mod words;

use std::path::Path;

use runledger_listener::ledger::{Attempt, Entry};

use super::Site;
use crate::arguments::{Jobs, JobsCommand};
use crate::failure::{Failure, Result};
use change::Wish;
use databases::Databases;

/// A job with all its attempts.
#[derive(Debug, Clone)]
struct Job {
    entry: Entry,
    attempts: Vec<Attempt>,
}

impl Job {
    fn id(&self) -> &str {
        &self.entry.job.processing_id
    }

    /// How often it was tried: what a queue never heard of, because it did not answer, was no try.
    fn tries(&self) -> usize {
        let refused = |attempt: &Attempt| {
            let why = attempt.reason.as_deref().unwrap_or_default();
            why.starts_with("the submission was refused")
        };
        let is_try = |attempt: &&Attempt| attempt.is_in_queue() || refused(attempt);
        self.attempts.iter().filter(is_try).count()
    }

    /// The folder of its database.
    fn database(&self) -> &Path {
        &self.entry.job.database_dir
    }

    fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }
}

/// Shows jobs, or does with them what is asked for.
pub(super) fn run(here: &Path, jobs: Jobs, site: &Site) -> Result {
    match jobs.what {
        None => list::run(here, &jobs.list, site),
        Some(JobsCommand::Show { named, json }) => show::run(here, &named, json, site),
        Some(JobsCommand::Log {
            id,
            place,
            run,
            attempt,
            follow,
        }) => {
            let jobs = Databases::meant(here, &place, site)?.jobs()?;
            let job = choice::one(&jobs, id.as_deref(), run)?;
            log::run(job, &jobs, attempt, follow)
        }
        Some(JobsCommand::Cancel(chosen)) => change::run(here, Wish::Cancel, &chosen, site),
        Some(JobsCommand::Stop(chosen)) => change::run(here, Wish::Stop, &chosen, site),
        Some(JobsCommand::Kill(chosen)) => change::run(here, Wish::Kill, &chosen, site),
        Some(JobsCommand::Retry(chosen)) => change::run(here, Wish::Retry, &chosen, site),
    }
}

fn print_json(jobs: &[&Job]) -> Result {
    let all: Vec<_> = jobs.iter().map(|job| words::json(job)).collect();
    let text = serde_json::to_string_pretty(&all).map_err(Failure::new)?;
    println_as_is!("{text}");
    Ok(())
}

/// Run 7 of proposal 1234, never tried.
#[cfg(test)]
fn example(id: &str, state: runledger_listener::ledger::State) -> Job {
    use runledger_context::run::{RunData, RunId};
    use runledger_listener::job;

    let run = RunId::new(1234, 7);
    let new = job::Job::new(run, RunData::Raw, "/db".into(), job::Request::default());
    let job = job::Job {
        processing_id: id.into(),
        ..new
    };
    Job {
        entry: Entry {
            job,
            state,
            message: None,
            progress: None,
            held: false,
            failures: 0,
            unbegun: 0,
            next_try: None,
            submitted_by: "me@here".into(),
            planned_at: 0.0,
            ended_at: None,
        },
        attempts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_listener::ledger::State;

    #[test]
    fn what_no_queue_has_heard_of_is_no_try() {
        let attempt = |queue_id: Option<&str>, reason: &str| Attempt {
            queue_id: queue_id.map(Into::into),
            reason: Some(reason.into()),
            ..Attempt::default()
        };
        let mut job = example("a", State::Running);
        job.attempts = vec![
            attempt(None, "sbatch: Unable to contact slurm controller"),
            attempt(None, "the submission was refused: no such partition"),
            attempt(Some("12"), "its node failed"),
        ];
        assert_eq!(job.tries(), 2);
    }
}
