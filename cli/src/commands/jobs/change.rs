//! `jobs cancel`, `stop`, `kill` and `retry`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use runledger_listener::dispatch::{Dispatcher, Order};
use runledger_listener::ledger::{Ledger, State};

use super::databases::{self, Databases};
use super::words::{queue, short, state, state_word, why};
use super::{Job, Site, choice};
use crate::arguments::Chosen;
use crate::asking;
use crate::failure::{Failure, Result};

/// So many jobs are listed before it is asked whether all of them are meant.
const LISTED: usize = 20;

/// What is to become of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Cancel,
    Stop,
    Kill,
    Retry,
}

impl Wish {
    fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Retry => "retry",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Stop => "stopped, held until it is retried",
            Self::Kill => "killed, it has failed",
            Self::Retry => "tried again",
        }
    }

    /// Whether it makes sense for a job that nobody has named.
    fn applies(self, job: &Job, asked_states: &[String]) -> bool {
        let entry = &job.entry;
        match self {
            Self::Cancel | Self::Kill => !entry.state.is_final(),
            Self::Stop => !entry.state.is_final() && !entry.held,
            // What went well, or waits, is only done again by those who say so.
            Self::Retry if entry.state == State::Finished => !asked_states.is_empty(),
            Self::Retry if entry.state == State::Planned && !entry.held => {
                entry.next_try.is_some() || !asked_states.is_empty()
            }
            Self::Retry => entry.state.is_final() || entry.held,
        }
    }

    fn order(self) -> Option<Order> {
        match self {
            Self::Cancel => Some(Order::Cancel),
            Self::Stop => Some(Order::Stop),
            Self::Kill => Some(Order::Kill),
            Self::Retry => None,
        }
    }
}

/// Does with jobs what is wished, if somebody agrees.
pub(super) fn run(here: &Path, wish: Wish, chosen: &Chosen, site: &Site) -> Result {
    let jobs = Databases::meant(here, &chosen.named.place, site)?.asked_jobs(site)?;
    let states = &chosen.named.selection.states;
    let meant = choice::chosen(&jobs, &chosen.named, |job| wish.applies(job, states))?;
    if meant.is_empty() {
        return Err(Failure::new(format!("there is no job to {}", wish.verb()))
            .hint("`runledger jobs --all` lists them all"));
    }
    if meant.len() > 1 && !chosen.yes {
        list(&meant);
    }
    if !asking::agrees(&question(wish, &meant), chosen.yes)? {
        println!("Nothing is done.");
        return Ok(());
    }
    let dispatcher = site.dispatcher()?;
    let outcome = in_each_database(&dispatcher, wish, &meant);
    dispatcher.close(super::super::FAREWELL);
    let (told, failed) = outcome?;
    for line in &told {
        println!("{line}");
    }
    match failed.is_empty() {
        true => Ok(()),
        false if told.is_empty() => Err(Failure::new(failed.join("\n"))),
        false => Err(Failure::partly(failed.join("\n"))),
    }
}

/// What is to be said, and what failed.
type Told = (Vec<String>, Vec<String>);

/// A database of several in which nothing can be done holds up none of the others.
fn in_each_database(dispatcher: &Dispatcher, wish: Wish, meant: &[&Job]) -> Result<Told> {
    let mut by_database = BTreeMap::<&Path, Vec<&Job>>::new();
    for job in meant {
        by_database.entry(job.database()).or_default().push(job);
    }
    let is_only_one = by_database.len() == 1;
    let (mut told, mut failed) = Told::default();
    for (dir, jobs) in by_database {
        let outcome = carry_out(dispatcher, dir, wish, &jobs);
        match outcome.and_then(|done| report(dir, wish, &jobs, &done)) {
            Ok((of_dir, failed_there)) => {
                told.extend(of_dir);
                failed.extend(failed_there);
            }
            Err(why) if is_only_one => return Err(why),
            Err(why) => failed.push(format!("{}: {why}", dir.display())),
        }
    }
    Ok((told, failed))
}

fn question(wish: Wish, jobs: &[&Job]) -> String {
    match jobs {
        [job] => format!("{} {}?", wish.verb(), described(job)),
        _ => format!("{} these {} jobs?", wish.verb(), jobs.len()),
    }
}

/// Says which jobs a question is about.
fn list(jobs: &[&Job]) {
    for job in jobs.iter().take(LISTED) {
        eprintln!("  {}", described(job));
    }
    if jobs.len() > LISTED {
        eprintln!("  and {} more", jobs.len() - LISTED);
    }
}

fn described(job: &Job) -> String {
    let entry = &job.entry;
    let place = job.last().map(|attempt| format!(" ({})", queue(attempt)));
    format!(
        "{} {} {}, {}{}",
        short(job.id()),
        entry.job.run,
        entry.job.data,
        state(entry),
        place
            .filter(|_| !entry.state.is_final())
            .unwrap_or_default()
    )
}

/// What was done to whom.
#[derive(Default)]
struct Done {
    /// As wished.
    ids: BTreeSet<String>,
    /// These had been called off before, and a queue still had them.
    again: BTreeSet<String>,
    /// These go on: a queue did not give them up, for this reason.
    denied: BTreeMap<String, String>,
}

fn carry_out(dispatcher: &Dispatcher, dir: &Path, wish: Wish, jobs: &[&Job]) -> Result<Done> {
    let ids: Vec<String> = jobs.iter().map(|job| job.id().to_owned()).collect();
    let Some(order) = wish.order() else {
        let ids = dispatcher.retry(dir, &ids)?.into_iter().collect();
        return Ok(Done {
            ids,
            ..Done::default()
        });
    };
    let open = Ledger::open(dir)?.open_attempts()?;
    let called_off = dispatcher.call_off(dir, &ids, order).map_err(|why| {
        Failure::new(format!(
            "the jobs do not begin any more, but the queue still has them: {why}"
        ))
        .hint(format!(
            "what runs already goes on; `runledger jobs {}` again asks the queue again",
            wish.verb()
        ))
    })?;
    let done: BTreeSet<String> = called_off.done.into_iter().collect();
    let denied = called_off.denied.into_iter();
    let denied: BTreeMap<String, String> = denied
        .map(|denied| (denied.processing_id, denied.why))
        .collect();
    let open = open
        .into_iter()
        .map(|open| open.attempt.processing_id.clone());
    let again = open.filter(|id| ids.contains(id) && !done.contains(id));
    Ok(Done {
        again: again.collect(),
        ids: done,
        denied,
    })
}

fn report(dir: &Path, wish: Wish, meant: &[&Job], done: &Done) -> Result<Told> {
    let now = databases::all(dir)?;
    let (mut told, mut failed) = (Vec::new(), Vec::new());
    for job in meant {
        let name = format!("{} {}", short(job.id()), job.entry.job.run);
        if let Some(why) = done.denied.get(job.id()) {
            failed.push(format!(
                "{name} is not yours to {}, and goes on: {why}; its owner can, and who runs the queue",
                wish.verb()
            ));
        } else if done.ids.contains(job.id()) {
            told.push(match wish {
                Wish::Retry => format!("{name}: {}", afterwards(&now, job.id())),
                _ => format!("{name}: {}", wish.done()),
            });
        } else if done.again.contains(job.id()) {
            told.push(format!(
                "{name}: {} before, and taken off the queue now",
                state_word(&job.entry)
            ));
        } else {
            failed.push(format!("{name} is {} already", state_word(&job.entry)));
        }
    }
    Ok((told, failed))
}

/// How a job is that was planned once more.
fn afterwards(jobs: &[Job], id: &str) -> String {
    let Some(job) = jobs.iter().find(|job| job.id() == id) else {
        return "gone from the ledger".into();
    };
    let reason = why(&job.entry, super::words::now());
    match (job.entry.state, job.last()) {
        (State::Planned, _) if reason.is_empty() => {
            "planned; the listener begins it when there is room".into()
        }
        (State::Planned, _) => format!("planned; {reason}"),
        (_, Some(attempt)) => format!("given to the queue again: {}", queue(attempt)),
        (state, None) => state.as_str().to_owned(),
    }
}
