//! Which jobs a user means: by the first letters of an id, by the queue's own names, or by what they are.

use std::collections::BTreeSet;
use std::path::Path;

use runledger_listener::ledger::Attempt;

use super::Job;
use super::words::{SHORT, short, state_word};
use crate::arguments::{Named, Selection};
use crate::failure::{Failure, Result};

/// The one job that is meant: by its name, or as the latest one of a run.
pub(super) fn one<'a>(jobs: &'a [Job], name: Option<&str>, run: Option<u32>) -> Result<&'a Job> {
    if let Some(name) = name {
        return match by_name(jobs, name)?[..] {
            [job] => Ok(job),
            _ => Err(Failure::usage(format!("{name} is a whole array"))
                .hint(format!("name one of its tasks: {name}_0"))),
        };
    }
    let of_run = |job: &&Job| Some(job.entry.job.run.number.0) == run;
    let of_run: Vec<&Job> = jobs.iter().filter(of_run).collect();
    of_one_database(&of_run)?;
    let latest = of_run.last().copied();
    latest.ok_or_else(|| Failure::new(format!("run {} has had no job", run.unwrap_or(0))))
}

/// The jobs that somebody names.
fn named<'a>(jobs: &'a [Job], ids: &[String]) -> Result<Vec<&'a Job>> {
    let mut found: Vec<&Job> = Vec::new();
    for id in ids {
        for job in by_name(jobs, id)? {
            add(&mut found, job);
        }
    }
    Ok(found)
}

/// The jobs that are named; or those of a selection to which what is wished `applies`.
pub(super) fn chosen<'a>(
    jobs: &'a [Job],
    chosen: &Named,
    applies: impl Fn(&Job) -> bool,
) -> Result<Vec<&'a Job>> {
    if !chosen.ids.is_empty() {
        return named(jobs, &chosen.ids);
    }
    if !chosen.all && is_everything(&chosen.selection) {
        return Err(Failure::usage("no job is named")
            .hint("give ids, or --run, --state or --all; `runledger jobs` lists them"));
    }
    let selected = jobs
        .iter()
        .filter(|job| is_selected(job, &chosen.selection));
    let meant: Vec<&Job> = selected.filter(|job| applies(job)).collect();
    if !chosen.selection.runs.is_empty() {
        of_one_database(&meant)?;
    }
    Ok(meant)
}

/// Nobody means a run of every proposal that has one of this number.
fn of_one_database(jobs: &[&Job]) -> Result {
    let folders: BTreeSet<&Path> = jobs.iter().map(|job| job.database()).collect();
    if folders.len() < 2 {
        return Ok(());
    }
    let list: String = folders
        .iter()
        .map(|folder| format!("\n  {}", folder.display()))
        .collect();
    let count = folders.len();
    Err(Failure::usage(format!(
        "{count} of the databases have jobs of such runs:{list}"
    ))
    .hint("say which one with --in, or give the ids of jobs"))
}

/// Whether a selection leaves nothing out.
pub(super) fn is_everything(selection: &Selection) -> bool {
    selection.runs.is_empty() && selection.states.is_empty()
}

/// Whether a job is of the runs and in the states that are asked for.
pub(super) fn is_selected(job: &Job, selection: &Selection) -> bool {
    let (run, state) = (job.entry.job.run.number.0, state_word(&job.entry));
    (selection.runs.is_empty() || selection.runs.contains(&run))
        && (selection.states.is_empty() || selection.states.iter().any(|word| word == state))
}

fn add<'a>(jobs: &mut Vec<&'a Job>, job: &'a Job) {
    if !jobs.iter().any(|before| before.id() == job.id()) {
        jobs.push(job);
    }
}

fn by_name<'a>(jobs: &'a [Job], name: &str) -> Result<Vec<&'a Job>> {
    if let Some(exact) = jobs.iter().find(|job| job.id() == name) {
        return Ok(vec![exact]);
    }
    let in_queue = in_queue(jobs, name);
    let is_clear = in_queue.len() == 1 || is_one_array(&in_queue);
    let mut all: Vec<&Job> = jobs
        .iter()
        .filter(|job| job.id().starts_with(name))
        .collect();
    // Ids are shown with so many letters: less than that is rather the queue's number.
    if is_clear && (all.is_empty() || name.len() < SHORT) {
        return Ok(in_queue);
    }
    for job in in_queue {
        add(&mut all, job);
    }
    match all.len() {
        0 => Err(Failure::new(format!("there is no job {name:?}"))
            .hint("`runledger jobs --all` lists them all")),
        1 => Ok(all),
        _ => Err(ambiguous(name, &all)),
    }
}

/// By the queue's own names: `123_4`, or `123` for a lone job or a whole array. A queue uses its numbers again: what
/// is not over goes before what is.
fn in_queue<'a>(jobs: &'a [Job], name: &str) -> Vec<&'a Job> {
    let is_task = |id: &str| {
        id.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('_'))
    };
    let is_named = |attempt: &Attempt| {
        let id = attempt.queue_id.as_deref();
        // On this machine it is the number of a process, which nobody is shown.
        attempt.queue != "local" && id.is_some_and(|id| id == name || is_task(id))
    };
    let of_last = |job: &&Job| job.last().is_some_and(is_named);
    let of_any = |job: &&Job| job.attempts.iter().any(is_named);
    let mut meant: Vec<&Job> = jobs.iter().filter(of_last).collect();
    if meant.is_empty() {
        meant = jobs.iter().filter(of_any).collect();
    }
    let open = meant.iter().filter(|job| !job.entry.state.is_final());
    let open: Vec<&Job> = open.copied().collect();
    match open.is_empty() || is_one_array(&meant) {
        true => meant,
        false => open,
    }
}

/// Tasks of one submission share its token.
fn is_one_array(jobs: &[&Job]) -> bool {
    let token = |job: &&Job| Some(job.last()?.token.clone());
    let first = jobs.first().and_then(token);
    first.is_some() && jobs.iter().all(|job| token(job) == first)
}

fn ambiguous(name: &str, jobs: &[&Job]) -> Failure {
    let list = jobs.iter().take(5).map(|job| {
        let (run, state) = (job.entry.job.run, state_word(&job.entry));
        format!("  {}  {run}, {state}", job.id())
    });
    let mut list: Vec<String> = list.collect();
    if jobs.len() > list.len() {
        list.push(format!("  and {} others", jobs.len() - list.len()));
    }
    let count = jobs.len();
    Failure::usage(format!(
        "{name:?} may be one of {count} jobs:\n{}",
        list.join("\n")
    ))
    .hint(format!(
        "give more letters than those of {}",
        short(jobs[0].id())
    ))
}

#[cfg(test)]
mod tests {
    use runledger_listener::ledger::State;

    use super::super::example;
    use super::*;

    fn job(id: &str, state: State, queue_id: Option<&str>, token: &str) -> Job {
        let mut job = example(id, state);
        job.attempts.extend(queue_id.map(|queue_id| Attempt {
            queue_id: Some(queue_id.into()),
            token: token.into(),
            ..Attempt::default()
        }));
        job
    }

    fn found(jobs: &[Job], name: &str) -> std::result::Result<Vec<String>, String> {
        let found = by_name(jobs, name).map_err(|why| format!("{why:?}"))?;
        Ok(found.iter().map(|job| job.id().to_owned()).collect())
    }

    #[test]
    fn the_first_letters_name_a_job_unless_another_one_has_them_too() {
        let jobs = [
            job("abc1", State::Failed, None, ""),
            job("abd2", State::Running, None, ""),
        ];
        assert_eq!(found(&jobs, "abc"), Ok(vec!["abc1".into()]));
        let why = found(&jobs, "ab").unwrap_err();
        assert!(why.contains("abc1") && why.contains("abd2"), "{why}");
        assert!(found(&jobs, "x").unwrap_err().contains("no job"));
    }

    #[test]
    fn a_queues_name_is_a_task_or_a_whole_array() {
        let task = |id, queue_id| job(id, State::Pending, Some(queue_id), "one");
        let jobs = [task("a", "12_0"), task("b", "12_1"), task("c", "123_0")];
        assert_eq!(found(&jobs, "12_1"), Ok(vec!["b".into()]));
        assert_eq!(found(&jobs, "12"), Ok(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn a_number_is_the_queues_unless_it_is_as_long_as_an_id_is_shown() {
        let jobs = [
            job("12ab0000-0", State::Failed, None, ""),
            job("12345678-0", State::Failed, None, ""),
            job("c", State::Pending, Some("12_0"), "one"),
            job("d", State::Pending, Some("12345678"), "two"),
        ];
        assert_eq!(found(&jobs, "12"), Ok(vec!["c".into()]));
        assert_eq!(found(&jobs, "12a"), Ok(vec!["12ab0000-0".into()]));
        assert!(found(&jobs, "12345678").unwrap_err().contains("2 jobs"));
    }

    #[test]
    fn a_number_that_a_queue_has_used_again_means_the_job_that_is_not_over() {
        let jobs = [
            job("a", State::Finished, Some("12"), "one"),
            job("b", State::Running, Some("12"), "two"),
        ];
        assert_eq!(found(&jobs, "12"), Ok(vec!["b".into()]));
        let over = [jobs[0].clone(), job("c", State::Failed, Some("12"), "two")];
        assert!(found(&over, "12").is_err());
    }
}
