//! `extract`: what a job runs, in the database's folder.

use std::os::unix::process::CommandExt;
use std::path::Path;

use runledger_context::run::RunId;
use runledger_listener::Error;
use runledger_listener::extraction::{self, ExtractionSettings};
use runledger_listener::job::{Job, Request};
use runledger_listener::queue::{host_name, task_command, user_name};
use runledger_storage::Database;

use super::{Site, stop};
use crate::arguments::{Choice, Extract};
use crate::failure::{Failure, Result, say};

/// Evaluates one run of the database in `dir`.
pub(super) fn run(dir: &Path, extract: Extract, site: &Site) -> Result {
    // Before the log's first line: a folder without a database has no log.
    Database::open(dir).map_err(|why| failure(why.into()))?;
    let attempt = extract.attempt;
    let job = job(dir, extract);
    say(format_args!("\n{}", first_line(&job)));
    if let Some(number) = attempt {
        say(mark(&job.processing_id, number));
    }
    let settings = ExtractionSettings {
        stop: stop::of_job()?,
        ..site.extraction()
    };
    let extracted = extraction::extract(&job, attempt, &settings, site.publisher()?);
    let extracted = extracted.map_err(failure)?;
    if let Some(why) = extracted.refused {
        say(format_args!("nothing is done here: {why}"));
        return Ok(());
    }
    if let Some(follow_up) = &extracted.follow_up {
        submit(dir, follow_up, site);
    }
    match extracted.cut_short {
        None => Ok(()),
        Some(cut_short) => Err(Failure::partly(format!(
            "{}; what was finished by then is kept (variables with a value: {})",
            cut_short.why, extracted.computed
        ))),
    }
}

/// What may succeed later is told from what would fail again: the listener tries it again.
fn failure(why: Error) -> Failure {
    match why.is_transient() {
        true => Failure::from(why).for_now(),
        false => why.into(),
    }
}

/// The job that follows is in the ledger: where it cannot be submitted from a node, a listener does that.
fn submit(dir: &Path, follow_up: &Job, site: &Site) {
    let submitted = site.dispatcher().and_then(|dispatcher| {
        let retries = site.config.jobs.dispatch().retries;
        dispatcher.submit(dir, std::slice::from_ref(&follow_up.processing_id), retries)?;
        dispatcher.close(super::FAREWELL);
        Ok(())
    });
    if let Err(why) = submitted {
        say("the job for the cluster variables is left to the listener:");
        why.report();
    }
}

/// Becomes the `extract` of a task of a Slurm array.
pub(super) fn run_task(dir: &Path, token: &str) -> Result {
    let number = std::env::var("SLURM_ARRAY_TASK_ID").ok();
    let number = number.and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| {
        Failure::usage("SLURM_ARRAY_TASK_ID is not set").hint("only Slurm runs `extract-task`")
    })?;
    let mut command = task_command(dir, token, number, &super::program()?).map_err(failure)?;
    let why = command.exec();
    Err(Failure::new(format!("`extract` does not start: {why}")))
}

fn job(dir: &Path, extract: Extract) -> Job {
    let request = Request {
        cluster: extract.cluster_job,
        update_variables: extract.update_vars,
        ..request(extract.choice)
    };
    let run = RunId::new(extract.proposal, extract.run);
    let new = Job::new(run, extract.data.into(), dir.to_path_buf(), request);
    Job {
        processing_id: extract
            .processing_id
            .unwrap_or_else(|| new.processing_id.clone()),
        ..new
    }
}

/// The request for a user's choice of variables.
pub(super) fn request(choice: Choice) -> Request {
    Request {
        matches: choice.matches,
        variables: choice.variables,
        params: choice.params,
        mock: choice.mock,
        ..Request::default()
    }
}

/// How each job's part of a run's log begins.
pub(super) const HEAD: &str = "----- Processing ";

/// The line after that: whose part it is.
pub(super) fn mark(id: &str, attempt: u32) -> String {
    format!("Job {id}, attempt {attempt}")
}

/// By this line users find a job in a run's log.
fn first_line(job: &Job) -> String {
    let (run, proposal) = (job.run.number.0, job.run.proposal.0);
    let (user, host) = (user_name(), host_name());
    let place = match std::env::var("SLURM_JOB_ID") {
        Ok(id) if !id.is_empty() => {
            let cluster = std::env::var("SLURM_CLUSTER_NAME").unwrap_or_default();
            format!("{host} (job id: {id}, cluster: {cluster})")
        }
        _ => format!("{host} (subprocess)"),
    };
    format!("{HEAD}r{run} (p{proposal}) as {user} on {place} -----")
}
