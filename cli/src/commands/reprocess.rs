//! `reprocess`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use runledger_context::run::{Proposal, RunData, RunId, RunNumber};
use runledger_listener::combiner;
use runledger_listener::job::{Job, Request};
use runledger_listener::job_end::{self, Outcome, Retries};
use runledger_listener::queue::run_in_foreground;
use runledger_storage::Database;

use super::{Site, extract};
use crate::arguments::Reprocess;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::place;

/// The user sees it, and asks again.
const NO_RETRIES: Retries = Retries {
    limit: 0,
    first: Duration::ZERO,
    longest: Duration::ZERO,
};

/// Evaluates runs again, one after the other.
pub(super) fn run(here: &Path, reprocess: Reprocess, site: &Site) -> Result {
    let dir = match &reprocess.within {
        Some(within) => place::existing(within, &site.config)?,
        None => here.to_path_buf(),
    };
    let db = Database::open(&dir)?;
    if !reprocess.direct {
        return Err(Failure::usage("jobs run on this machine only, so far").hint("add --direct"));
    }
    let asked = asked(&db, &reprocess)?;
    let runs = if reprocess.choice.mock {
        asked.into_iter().collect()
    } else {
        with_data(asked, &site.config)
    };
    let mut request = extract::request(reprocess.choice);
    request.update_variables = true;
    let mut failed = Vec::new();
    let count = runs.len();
    for run in runs {
        if evaluate(&dir, run, &request, site)? != Outcome::Finished {
            failed.push(run.to_string());
        }
        request.update_variables = false;
    }
    match failed.len() {
        0 => Ok(()),
        n => Err(Failure::partly(format!(
            "{n} of {count} jobs did not finish: {}",
            failed.join(", ")
        ))
        .hint("the logs are in process_logs")),
    }
}

fn evaluate(dir: &Path, run: RunId, request: &Request, site: &Site) -> Result<Outcome> {
    let job = Job::new(run, RunData::All, dir.to_path_buf(), request.clone());
    let ended = run_in_foreground(&job, &site.local_jobs()?)?;
    let mut publisher = site.publisher()?;
    let outcome = job_end::settle(&ended, &NO_RETRIES, &mut publisher)?;
    if outcome != Outcome::Finished && !publisher.is_enabled() {
        // No combiner would hear of what was saved.
        combiner::merge_run(dir, run, combiner::ATTENDED, &mut publisher)?;
    }
    publisher.close(super::FAREWELL);
    Ok(outcome)
}

/// The runs that a user names, in order.
fn asked(db: &Database, reprocess: &Reprocess) -> Result<BTreeSet<RunId>> {
    if reprocess.runs == ["all"] {
        return Ok(db.runs()?.into_iter().collect());
    }
    let proposal = match reprocess.proposal {
        Some(number) => Proposal(number),
        None => db.proposal()?.ok_or_else(|| {
            Failure::new(format!("{} has no proposal number", db.path().display()))
                .hint("set it with `runledger proposal NUMBER`, or give --proposal")
        })?,
    };
    reprocess
        .runs
        .iter()
        .map(|word| named(proposal, word))
        .collect()
}

fn named(proposal: Proposal, word: &str) -> Result<RunId> {
    let number = word.parse().map(RunNumber);
    let number = number.map_err(|_| {
        Failure::usage(format!("{word:?} is no run number")).hint("give numbers, or `all`")
    })?;
    Ok(RunId { proposal, number })
}

/// Those of the runs that have raw data; the others are told.
fn with_data(runs: BTreeSet<RunId>, config: &Config) -> Vec<RunId> {
    let mut proposals = runledger_listener::proposals::Proposals::new(config.data.clone());
    let (with, without): (Vec<RunId>, Vec<RunId>) = runs.into_iter().partition(|run| {
        let raw = proposals
            .find(run.proposal)
            .map(|dir| dir.join(format!("raw/r{:04}", run.number.0)));
        raw.is_some_and(|raw| raw.is_dir())
    });
    if !without.is_empty() {
        let list: Vec<String> = without.iter().map(ToString::to_string).collect();
        eprintln!(
            "warning: {} runs have no raw data below {} and are skipped: {}",
            without.len(),
            config.data.root.display(),
            list.join(", ")
        );
    }
    with
}
