//! `reprocess` by the queue: the jobs go there together, as arrays where it has such.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use runledger_listener::counting::counted;
use runledger_listener::dispatch::{Dispatch, DispatchSettings, Dispatcher, Queues};
use runledger_listener::job::Job;
use runledger_listener::job_end::Retries;
use runledger_listener::ledger::{Attempt, Ledger, State};
use runledger_listener::listener_db::ListenerDb;

use super::watch;
use crate::commands::jobs::words::queue;
use crate::commands::{FAREWELL, Site};
use crate::failure::{Failure, Result};

/// So often another program may keep us from the database, for [`PAUSE`] each time.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// How a user wants it.
pub(super) struct Ways {
    /// Staying until all is over.
    pub(super) watch: bool,
    /// So many jobs at once.
    pub(super) concurrent: Option<usize>,
    /// The database, as the user has named it.
    pub(super) within: Option<String>,
}

impl Ways {
    /// A command on the same jobs, to be typed.
    pub(super) fn command(&self, words: &str) -> String {
        let within = self.within.as_ref().map(|within| format!(" --in {within}"));
        format!("`runledger jobs{words}{}`", within.unwrap_or_default())
    }
}

/// Plans the jobs and submits them; stays until they are over where that is wished, or where they run here.
pub(super) fn run(here: &Path, dir: &Path, jobs: &[Job], ways: &Ways, site: &Site) -> Result {
    let queues = site.queues()?;
    queues.fall_back(may_run_here(&[here, dir])?);
    if !queues.can_submit() {
        return Err(no_queue(site));
    }
    let mut settings = DispatchSettings {
        concurrent: ways.concurrent,
        ..site.config.jobs.dispatch()
    };
    if queues.is_local() {
        // There are no arrays here.
        settings.limits.running = ways.concurrent.or(settings.limits.running);
    }
    let mut ledger = Ledger::open(dir)?;
    let wishes: Vec<_> = jobs.iter().map(|job| (None, job)).collect();
    ledger.plan_all(&wishes)?;
    if ways.watch || queues.is_local() {
        let dispatch = Dispatch::start(queues, settings, site.publisher()?);
        return watch::run(dispatch, &ledger, jobs, ways, site);
    }
    submit(queues, settings, jobs, site)?;
    tell(&ledger, jobs, ways)
}

/// Whether the listener whose folder this is lets jobs run on this machine.
fn may_run_here(folders: &[&Path]) -> Result<bool> {
    let listener = folders
        .iter()
        .find(|dir| dir.join("listener.sqlite").is_file());
    Ok(match listener {
        Some(dir) => ListenerDb::open(dir)?.may_run_locally()?,
        None => false,
    })
}

fn no_queue(site: &Site) -> Failure {
    let sbatch = site.config.slurm.sbatch.display();
    Failure::new(format!(
        "there is no Slurm here (no program {sbatch}), so that no job can be submitted; none is planned"
    ))
    .hint("--direct evaluates the runs on this machine, one after the other; `[jobs] queue = \"local\"` in the configuration, several at once")
}

fn submit(queues: Queues, settings: DispatchSettings, jobs: &[Job], site: &Site) -> Result {
    let dispatcher = Dispatcher::new(queues, settings, site.publisher()?);
    let submitted = submit_now(jobs, |dir, ids| dispatcher.submit(dir, ids, Retries::NONE));
    dispatcher.close(FAREWELL);
    submitted
}

/// Whoever asks sees a refusal, and asks again: it is not tried again.
pub(super) fn submit_now(
    jobs: &[Job],
    submit: impl Fn(&Path, &[String]) -> runledger_listener::Result<()>,
) -> Result {
    let ids: Vec<String> = jobs.iter().map(|job| job.processing_id.clone()).collect();
    for _ in 0..TRIES {
        if submit(&jobs[0].database_dir, &ids).is_ok() {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(submit(&jobs[0].database_dir, &ids)?)
}

/// Says what became of the jobs.
fn tell(ledger: &Ledger, jobs: &[Job], ways: &Ways) -> Result {
    let mut places = BTreeMap::<String, usize>::new();
    let (mut waiting, mut failed) = (Vec::new(), Vec::new());
    for job in jobs {
        let Some(entry) = ledger.job(&job.processing_id)? else {
            continue;
        };
        let why = entry.message.unwrap_or_default();
        match entry.state {
            State::Planned => waiting.push(why),
            state if state.is_final() && state != State::Finished => {
                failed.push(format!("{}: {why}", job.run));
            }
            _ => {
                let attempt = ledger.last_attempt(&job.processing_id)?;
                *places
                    .entry(attempt.as_ref().map(place).unwrap_or_default())
                    .or_default() += 1;
            }
        }
    }
    for (place, count) in &places {
        println!("{} submitted: {place}", counted(*count, "job"));
    }
    if !waiting.is_empty() {
        let why = waiting.iter().find(|why| !why.is_empty()).cloned();
        let why = why.unwrap_or_else(|| "there is no room for more now".into());
        println!(
            "{} left in the ledger for a listener: {why}",
            counted(waiting.len(), "job")
        );
    }
    if failed.len() < jobs.len() {
        let call_off = format!(" cancel {}", name(ledger, jobs));
        println!(
            "{} shows how they are, {} calls them off",
            ways.command(""),
            ways.command(&call_off)
        );
    }
    super::verdict(&failed, jobs.len())
}

/// By which people name these jobs, all together: the queue's number for an array or a lone job.
pub(super) fn name<'a>(ledger: &Ledger, jobs: impl IntoIterator<Item = &'a Job>) -> String {
    let number = |job: &Job| {
        let last = ledger.last_attempt(&job.processing_id).ok()??;
        let id = last.queue_id.filter(|_| last.queue != "local")?;
        Some(
            id.split_once('_')
                .map_or(id.clone(), |(array, _)| array.to_owned()),
        )
    };
    let numbers: BTreeSet<Option<String>> = jobs.into_iter().map(number).collect();
    match numbers.into_iter().collect::<Vec<_>>().as_slice() {
        [Some(one)] => one.clone(),
        _ => "ID".into(),
    }
}

/// The tasks of an array are told together.
fn place(attempt: &Attempt) -> String {
    let name = queue(attempt);
    match (attempt.width, name.rsplit_once('_')) {
        (Some(width), Some((array, _))) => format!("array {array}, {width} at a time"),
        _ => name,
    }
}
