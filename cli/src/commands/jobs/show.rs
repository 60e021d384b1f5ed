//! `jobs show`: everything that the ledger knows about a job.

use std::path::Path;

use indicatif::HumanBytes;
use nix::sys::signal::Signal;
use runledger_listener::job::Request;
use runledger_listener::ledger::{Attempt, Entry};

use super::databases::Databases;
use super::words::{moment, now, queue, span, state, why};
use super::{Job, Site, choice};
use crate::arguments::Named;
use crate::failure::Result;

/// Shows jobs with all their attempts.
pub(super) fn run(here: &Path, asked: &Named, json: bool, site: &Site) -> Result {
    let jobs = Databases::meant(here, &asked.place, site)?.asked_jobs(site)?;
    let named = choice::chosen(&jobs, asked, |_| true)?;
    if json {
        return super::print_json(&named);
    }
    let all: Vec<String> = named.iter().map(|job| text(job, now())).collect();
    match all.is_empty() {
        true => println!("No job."),
        false => println!("{}", all.join("\n\n")),
    }
    Ok(())
}

fn text(job: &Job, now: f64) -> String {
    let mut lines = vec![format!("job {}", job.id())];
    lines.extend(aligned(2, &of_entry(&job.entry, now)));
    for attempt in &job.attempts {
        lines.push(format!("  attempt {}", attempt.number));
        lines.extend(aligned(4, &of_attempt(attempt, now)));
    }
    lines.join("\n")
}

fn of_entry(entry: &Entry, now: f64) -> Vec<(&'static str, String)> {
    let job = &entry.job;
    let progress = entry
        .progress
        .map(|progress| format!("{} of {}", progress.done, progress.variables));
    let planned = format!("{}, by {}", moment(entry.planned_at), entry.submitted_by);
    let lines = [
        ("run", Some(format!("{}, {}", job.run, job.data))),
        ("database", Some(job.database_dir.display().to_string())),
        ("state", Some(state(entry))),
        ("why", Some(why(entry, now)).filter(|why| !why.is_empty())),
        ("variables", progress),
        ("asked for", wishes(&job.request)),
        ("planned", Some(planned)),
        ("ended", entry.ended_at.map(moment)),
        (
            "failures",
            (entry.failures > 0).then(|| entry.failures.to_string()),
        ),
        (
            "never begun",
            (entry.unbegun > 0).then(|| entry.unbegun.to_string()),
        ),
    ];
    known(lines)
}

/// What a job was asked to do, where that is not everything.
fn wishes(request: &Request) -> Option<String> {
    let flags = [
        (request.cluster, "cluster variables"),
        (request.mock, "a stand-in for the run's data"),
        (
            request.update_variables,
            "the list of variables brought up to date",
        ),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set);
    let mut all: Vec<String> = flags.map(|(_, words)| (*words).to_owned()).collect();
    all.extend(
        request
            .variables
            .iter()
            .map(|name| format!("variable {name}")),
    );
    all.extend(
        request
            .matches
            .iter()
            .map(|part| format!("titles with {part:?}")),
    );
    let params = request.params.iter();
    all.extend(params.map(|(name, value)| format!("{name}={value}")));
    (!all.is_empty()).then(|| all.join(", "))
}

fn of_attempt(attempt: &Attempt, now: f64) -> Vec<(&'static str, String)> {
    let process = attempt
        .process
        .as_ref()
        .map(|process| format!("{} on {}", process.pid, process.host));
    let ran = |ended: f64| match attempt.started_at {
        Some(began) => format!("{}, after {}", moment(ended), span(ended - began)),
        None => moment(ended),
    };
    let runs = |began: f64| match attempt.ended_at {
        None => format!("{}, {} ago", moment(began), span(now - began)),
        Some(_) => moment(began),
    };
    known([
        ("queue", Some(queue(attempt))),
        ("submitted", Some(moment(attempt.submitted_at))),
        ("began", attempt.started_at.map(runs)),
        ("process", process),
        ("ended", attempt.ended_at.map(ran)),
        ("exit code", attempt.exit_code.map(|code| code.to_string())),
        ("signal", attempt.signal.map(signal)),
        (
            "peak memory",
            attempt
                .peak_memory
                .map(|bytes| HumanBytes(bytes).to_string()),
        ),
        ("reason", attempt.reason.clone()),
        (
            "log",
            attempt.log.as_ref().map(|log| log.display().to_string()),
        ),
    ])
}

fn signal(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.to_string())
}

fn known<const N: usize>(
    lines: [(&'static str, Option<String>); N],
) -> Vec<(&'static str, String)> {
    let known = lines.into_iter();
    known
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn aligned(indent: usize, lines: &[(&str, String)]) -> Vec<String> {
    lines
        .iter()
        .map(|(name, value)| format!("{:indent$}{name:<12}{value}", ""))
        .collect()
}
