//! Staying with jobs until they are over, and showing how they go.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use runledger_listener::combiner;
use runledger_listener::counting::counted;
use runledger_listener::dispatch::Dispatch;
use runledger_listener::job::Job;
use runledger_listener::job_end::Retries;
use runledger_listener::ledger::{Entry, Ledger, State};

use super::progress::Progress;
use super::queued::{self, Ways};
use crate::commands::jobs::words::{queue, span, state_word};
use crate::commands::{FAREWELL, Site, stop};
use crate::failure::{Failure, Result};

/// How often the ledger is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Their ends are seen a moment after they have said that they are done.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Jobs that are watched.
struct Watched<'a> {
    ledger: &'a Ledger,
    jobs: &'a [Job],
    progress: Progress,
    seen: BTreeMap<&'a str, Seen>,
}

/// What was last seen of a job.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    word: &'static str,
    is_over: bool,
    /// Why it did not finish.
    failure: Option<String>,
    /// Why it could not begin: it is tried again.
    trouble: Option<String>,
}

/// Watches until all are over, or Ctrl-C.
pub(super) fn run(
    dispatch: Dispatch,
    ledger: &Ledger,
    jobs: &[Job],
    ways: &Ways,
    site: &Site,
) -> Result {
    let stop = stop::flag()?;
    let dir = &jobs[0].database_dir;
    let mut watched = Watched {
        ledger,
        jobs,
        progress: Progress::of(jobs.len()),
        seen: BTreeMap::new(),
    };
    // Before anything can happen to them.
    watched.look()?;
    queued::submit_now(jobs, |dir, ids| dispatch.submit(dir, ids, Retries::NONE))?;
    dispatch.look_at(dir);
    while watched.left() > 0 && !stop.load(Ordering::Relaxed) {
        watched.look()?;
        std::thread::sleep(LOOK);
    }
    watched.progress.end();
    let left = watched.left();
    if left == 0 {
        watched.see_ends_here()?;
    }
    dispatch.close(FAREWELL);
    if left > 0 {
        return Err(gone_on(left, &watched, ways));
    }
    let failed = watched.failed();
    merge_failed(dir, &failed, site)?;
    let failed: Vec<String> = failed
        .iter()
        .map(|(job, why)| format!("{}: {why}", job.run))
        .collect();
    super::verdict(&failed, jobs.len())
}

impl<'a> Watched<'a> {
    /// How many are not over.
    fn left(&self) -> usize {
        self.jobs.len() - self.over()
    }

    fn over(&self) -> usize {
        self.seen.values().filter(|seen| seen.is_over).count()
    }

    fn failed(&self) -> Vec<(&'a Job, String)> {
        let failure = |job: &'a Job| {
            let seen = self.seen.get(job.processing_id.as_str())?;
            Some((job, seen.failure.clone()?))
        };
        self.jobs.iter().filter_map(failure).collect()
    }

    fn look(&mut self) -> Result {
        for job in self.jobs {
            let id = job.processing_id.as_str();
            let before = self.seen.get(id);
            if before.is_some_and(|seen| seen.is_over) {
                continue;
            }
            let entry = self.ledger.job(id)?;
            let seen = entry.as_ref().map_or_else(forgotten, seen);
            if before.map(|before| before.word) != Some(seen.word) {
                self.tell(job, entry.as_ref(), &seen)?;
            }
            if let Some(why) = &seen.trouble
                && before.is_none_or(|before| before.trouble != seen.trouble)
            {
                let run = job.run;
                self.progress
                    .above(|| eprintln!("{run} waits for its next try: {why}"));
            }
            self.seen.insert(id, seen);
        }
        self.progress.set(self.over(), self.how());
        Ok(())
    }

    /// On a terminal the bar tells what goes on, and a line each end.
    fn tell(&self, job: &Job, entry: Option<&Entry>, seen: &Seen) -> Result {
        if self.progress.is_visible() && !seen.is_over {
            return Ok(());
        }
        let attempt = self.ledger.last_attempt(&job.processing_id)?;
        let more = match (&seen.failure, &attempt, entry) {
            (Some(why), _, _) => format!(": {why}"),
            (
                None,
                Some(attempt),
                Some(Entry {
                    ended_at: Some(ended),
                    ..
                }),
            ) => {
                let began = attempt.started_at.unwrap_or(*ended);
                format!(" in {}", span(ended - began))
            }
            (None, Some(attempt), _) if seen.word != State::Planned.as_str() => {
                format!(" ({})", queue(attempt))
            }
            _ => String::new(),
        };
        let (run, word) = (job.run, seen.word);
        self.progress.above(|| println!("{run} {word}{more}"));
        Ok(())
    }

    /// `, 2 running, 1 failed`.
    fn how(&self) -> String {
        let mut counts = BTreeMap::<&str, usize>::new();
        for seen in self.seen.values() {
            *counts.entry(seen.word).or_default() += 1;
        }
        let finished = State::Finished.as_str();
        let counts = counts.into_iter().filter(|(word, _)| *word != finished);
        counts
            .map(|(word, count)| format!(", {count} {word}"))
            .collect()
    }

    /// Gives the processes on this machine a moment to end, so that the ledger has their exit codes.
    fn see_ends_here(&self) -> Result {
        let until = Instant::now() + LAST_LOOK;
        while Instant::now() < until && self.has_open_ends()? {
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn has_open_ends(&self) -> Result<bool> {
        let open = self.ledger.open_attempts()?;
        let is_here = |id: &str| self.seen.contains_key(id);
        Ok(open
            .iter()
            .any(|open| open.attempt.queue == "local" && is_here(&open.attempt.processing_id)))
    }
}

impl Watched<'_> {
    /// By which people name what is not over.
    fn name(&self) -> String {
        let is_open = |job: &&Job| {
            let seen = self.seen.get(job.processing_id.as_str());
            seen.is_none_or(|seen| !seen.is_over)
        };
        queued::name(self.ledger, self.jobs.iter().filter(is_open))
    }
}

fn seen(entry: &Entry) -> Seen {
    let is_over = entry.state.is_final() || entry.held;
    let word = state_word(entry);
    let failed = is_over && entry.state != State::Finished;
    let is_planned = entry.state == State::Planned && !is_over;
    Seen {
        word,
        is_over,
        trouble: entry.message.clone().filter(|_| is_planned),
        failure: failed.then(|| entry.message.clone().unwrap_or_else(|| word.into())),
    }
}

fn forgotten() -> Seen {
    Seen {
        word: "forgotten",
        is_over: true,
        failure: Some("it is not in the ledger any more".into()),
        trouble: None,
    }
}

fn gone_on(left: usize, watched: &Watched<'_>, ways: &Ways) -> Failure {
    let planned = State::Planned.as_str();
    let planned = watched
        .seen
        .values()
        .filter(|seen| seen.word == planned)
        .count();
    let begun = match planned {
        0 => String::new(),
        n => format!("; {n} of them have not been submitted and wait for a listener"),
    };
    Failure::partly(format!(
        "not watching any more; not over, and going on: {}{begun}",
        counted(left, "job")
    ))
    .hint(format!(
        "{} shows how they are, {} calls them off",
        ways.command(""),
        ways.command(&format!(" cancel {}", watched.name()))
    ))
}

/// Without a broker no combiner hears of what the failed ones had saved.
fn merge_failed(dir: &Path, failed: &[(&Job, String)], site: &Site) -> Result {
    let mut publisher = site.publisher()?;
    if !publisher.is_enabled() {
        for (job, _) in failed {
            combiner::merge_run(dir, job.run, combiner::ATTENDED, &mut publisher)?;
        }
    }
    Ok(())
}
