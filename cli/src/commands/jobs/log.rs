//! `jobs log`: what a job has printed.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use runledger_listener::ledger::{Ledger, State};
use runledger_storage::folder;

use super::Job;
use super::log_part::Part;
use crate::commands::stop;
use crate::failure::{Failure, Result};
use crate::printable::printed;

/// How often a log is looked at that may grow.
const LOOK: Duration = Duration::from_millis(200);
/// A job that did not finish may say why after its end is in the ledger: until nothing has come for so long.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Prints a job's part of its run's log; the whole log where that cannot be told from others.
pub(super) fn run(job: &Job, jobs: &[Job], attempt: Option<u32>, follow: bool) -> Result {
    if let Some(number) = attempt
        && number as usize > job.attempts.len()
    {
        return Err(Failure::new(format!(
            "the job has had {} attempts",
            job.attempts.len()
        )));
    }
    let mixed = jobs.iter().any(|other| is_mixed(job, other));
    if mixed {
        eprintln!("Another job of this run ran at the same time: this is what both printed.");
    }
    match follow {
        true => follow_log(job, attempt, mixed),
        false => print_log(job, attempt, mixed),
    }
}

/// Whether the lines of two jobs may be mixed in a run's log.
fn is_mixed(job: &Job, other: &Job) -> bool {
    let span = |job: &Job| {
        let ran = job.attempts.iter();
        let ran = ran.filter_map(|a| Some((a.started_at?, a.ended_at.unwrap_or(f64::INFINITY))));
        ran.collect::<Vec<_>>()
    };
    let (own, others) = (span(job), span(other));
    let overlaps = |(begin, end): &(f64, f64)| others.iter().any(|(b, e)| b < end && begin < e);
    job.id() != other.id() && job.entry.job.run == other.entry.job.run && own.iter().any(overlaps)
}

fn print_log(job: &Job, attempt: Option<u32>, mixed: bool) -> Result {
    let path = job.entry.job.log();
    let Some(mut log) = open(&path)? else {
        return Err(
            Failure::new(format!("{} has no log yet", job.entry.job.run))
                .hint("--follow waits for it"),
        );
    };
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)
        .map_err(|e| unreadable(&path, &e))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut part = Part::of(job.id(), attempt);
    let own: String = text
        .split_inclusive('\n')
        .map(|line| part.next(line))
        .collect();
    if !mixed && !part.is_found {
        eprintln!("The log does not tell this job from others: this is the whole of it.");
    }
    print(if !mixed && part.is_found { &own } else { &text });
    Ok(())
}

fn follow_log(job: &Job, attempt: Option<u32>, mixed: bool) -> Result {
    let stop = stop::flag()?;
    let path = job.entry.job.log();
    let ledger = Ledger::open(&job.entry.job.database_dir)?;
    let mut part = Part::of(job.id(), attempt);
    let mut log = None;
    let mut latest = Instant::now();
    loop {
        // Before the log is read: what is printed until then is in it.
        let last_words = last_words(&ledger, job)?;
        if log.is_none() {
            log = open(&path)?;
        }
        if let Some(log) = &mut log {
            let is_new = show_new(log, &path, |line| match mixed {
                true => line.to_owned(),
                false => part.next(line),
            })?;
            if is_new || last_words.is_none() {
                latest = Instant::now();
            }
        }
        let is_over = last_words.is_some_and(|wait| latest.elapsed() >= wait);
        if is_over || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

/// How long to wait for more once nothing has come; None: the job is not over.
fn last_words(ledger: &Ledger, job: &Job) -> Result<Option<Duration>> {
    Ok(match ledger.job(job.id())? {
        None => Some(Duration::ZERO),
        Some(entry) if entry.state == State::Finished => Some(Duration::ZERO),
        Some(entry) if entry.state.is_final() || entry.held => Some(LAST_WORDS),
        Some(_) => None,
    })
}

fn open(path: &Path) -> Result<Option<BufReader<File>>> {
    // Everybody may write into the folder: a pipe there would never end.
    match folder::open_regular(path) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unreadable(path, &e)),
    }
}

/// Whole lines only: whose they are is told by their beginnings. Returns whether there were any.
fn show_new(
    log: &mut BufReader<File>,
    path: &Path,
    mut shown: impl FnMut(&str) -> String,
) -> Result<bool> {
    let mut line = Vec::new();
    let mut is_new = false;
    loop {
        let read = log
            .read_until(b'\n', &mut line)
            .map_err(|e| unreadable(path, &e))?;
        if read == 0 || !line.ends_with(b"\n") {
            let back = i64::try_from(line.len()).unwrap_or(0);
            log.seek_relative(-back).map_err(|e| unreadable(path, &e))?;
            return Ok(is_new);
        }
        is_new = true;
        print(&shown(&String::from_utf8_lossy(&line)));
        line.clear();
    }
}

/// Whoever reads may have seen enough.
fn print(text: &str) {
    let mut terminal = std::io::stdout();
    let text = match terminal.is_terminal() {
        true => Cow::Owned(printed(text)),
        false => Cow::Borrowed(text),
    };
    let _ = terminal
        .write_all(text.as_bytes())
        .and_then(|()| terminal.flush());
}

fn unreadable(path: &Path, why: &std::io::Error) -> Failure {
    Failure::new(format!("the log {} cannot be read: {why}", path.display()))
}
