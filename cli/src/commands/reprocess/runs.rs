//! Which runs a user means.

use std::collections::BTreeSet;

use runledger_context::run::{Proposal, RunId, RunNumber};
use runledger_listener::counting::counted;
use runledger_listener::proposals::Proposals;
use runledger_storage::Database;

use crate::arguments::Reprocess;
use crate::config::Config;
use crate::failure::{Failure, Result};

/// The runs that are named, in order; without those that have no data, which are told.
pub(super) fn wanted(db: &Database, asked: &Reprocess, config: &Config) -> Result<Vec<RunId>> {
    let runs = named(db, asked)?;
    match asked.choice.mock {
        true => Ok(runs.into_iter().collect()),
        false => Ok(with_data(runs, config)),
    }
}

fn named(db: &Database, asked: &Reprocess) -> Result<BTreeSet<RunId>> {
    if asked.runs == ["all"] {
        let of_proposal = |run: &RunId| asked.proposal.is_none_or(|only| run.proposal.0 == only);
        return Ok(db.runs()?.into_iter().filter(of_proposal).collect());
    }
    let proposal = match asked.proposal {
        Some(number) => Proposal(number),
        None => db.proposal()?.ok_or_else(|| {
            Failure::new(format!("{} has no proposal number", db.path().display()))
                .hint("set it with `runledger proposal NUMBER`, or give --proposal")
        })?,
    };
    asked.runs.iter().map(|word| run(proposal, word)).collect()
}

fn run(proposal: Proposal, word: &str) -> Result<RunId> {
    let number = word.parse().map(RunNumber);
    let number = number.map_err(|_| {
        Failure::usage(format!("{word:?} is no run number")).hint("give numbers, or `all`")
    })?;
    Ok(RunId { proposal, number })
}

/// Those of the runs that have raw data; the others are told.
fn with_data(runs: BTreeSet<RunId>, config: &Config) -> Vec<RunId> {
    let mut proposals = Proposals::new(config.data.clone());
    let (with, without): (Vec<RunId>, Vec<RunId>) =
        runs.into_iter().partition(|run| proposals.has_data(*run));
    if !without.is_empty() {
        let list: Vec<String> = without.iter().map(ToString::to_string).collect();
        eprintln!(
            "warning: {} without raw data below {} skipped: {}",
            counted(without.len(), "run"),
            config.data.root.display(),
            list.join(", ")
        );
    }
    with
}
