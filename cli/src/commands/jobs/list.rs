//! `jobs` alone: a table of what is not over and of what ended last.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::Path;

use runledger_listener::ledger::State;

use super::choice::{is_everything, is_selected};
use super::databases::Databases;
use super::words::now;
use super::{Job, Site, picture};
use crate::arguments::JobList;
use crate::failure::Result;

/// So many of those that have ended are shown.
const LATEST: usize = 10;

/// Shows the jobs of a database, or of all that a listener watches, newest last.
pub(super) fn run(here: &Path, asked: &JobList, site: &Site) -> Result {
    let mut jobs = Databases::meant(here, &asked.place, site)?.asked_jobs(site)?;
    jobs.retain(|job| is_selected(job, &asked.selection));
    let everything = asked.all || !is_everything(&asked.selection);
    let shown = if everything {
        jobs.iter().collect()
    } else {
        latest(&jobs)
    };
    if asked.json {
        return super::print_json(&shown);
    }
    if !shown.is_empty() {
        let screen = picture::Screen {
            width: comfy_table::Table::new().width().map(usize::from),
            colours: std::io::stdout().is_terminal(),
        };
        println_as_is!("{}", picture::draw(&shown, now(), &screen));
    }
    println!("{}", summary(&shown, jobs.len() - shown.len()));
    Ok(())
}

/// What is not over, and of the others those that ended last.
fn latest(jobs: &[Job]) -> Vec<&Job> {
    let mut over: Vec<&Job> = jobs
        .iter()
        .filter(|job| job.entry.state.is_final())
        .collect();
    let ended = |job: &Job| job.entry.ended_at.unwrap_or(0.0);
    over.sort_by(|one, other| ended(other).total_cmp(&ended(one)));
    let shown: BTreeSet<&str> = over.iter().take(LATEST).map(|job| job.id()).collect();
    let is_shown = |job: &&Job| !job.entry.state.is_final() || shown.contains(job.id());
    jobs.iter().filter(is_shown).collect()
}

/// `5 jobs: 2 running, 3 finished`.
fn summary(shown: &[&Job], left_out: usize) -> String {
    let held = shown.iter().filter(|job| job.entry.held).count();
    let in_state = |state: State| {
        let is_so = |job: &&&Job| job.entry.state == state && !job.entry.held;
        (shown.iter().filter(is_so).count(), state.as_str())
    };
    let counts = State::ALL.map(in_state);
    let counts = counts.into_iter().chain([(held, crate::arguments::HELD)]);
    let parts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let all = match shown.len() {
        0 => "No job.".to_owned(),
        1 => format!("1 job: {}.", parts.join(", ")),
        count => format!("{count} jobs: {}.", parts.join(", ")),
    };
    match left_out {
        0 => all,
        count => format!("{all}\n{count} that ended earlier are left out: --all shows them."),
    }
}
