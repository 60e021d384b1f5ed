//! What is left to do when a job's process has ended and did not say how the job went.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_context::value::Failure;
use runledger_storage::{Database, fragment};
use tracing::{error, warn};

use crate::backoff;
use crate::counting::counted;
use crate::job::Job;
use crate::ledger::{self, Attempt, Cost, Ending, Entry, Ledger, Setback, State};
use crate::publisher::Publisher;
use crate::queue::{Account, Ended, Fault, TRY_AGAIN, open_log};
use crate::updates::{FILE_SUBMISSIONS, Update};
use crate::{Error, Result};

/// For each try that a job has there are so many for attempts that a queue has had and that never began: while a
/// cluster has trouble of its own, a job is not given up.
const PATIENCE: u32 = 10;

/// How often what fails through no fault of the job is tried again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// At most this often; ten times as often after attempts that never began.
    pub limit: u32,
    /// The wait before the first of them; twice as long before each further one.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            limit: 3,
            first: Duration::from_secs(10),
            longest: ledger::LONGEST_WAIT,
        }
    }
}

impl Retries {
    /// Whoever asks sees how it goes, and asks again.
    pub const NONE: Self = Self {
        limit: 0,
        first: Duration::ZERO,
        longest: Duration::ZERO,
    };

    /// The wait after so many failures before this one.
    pub fn wait(&self, failures: u32) -> Duration {
        backoff::wait(self.first, self.longest, failures)
    }

    /// What another try costs a job whose last one has come to nothing; None: it has none left.
    fn cost(&self, entry: &Entry, has_begun: bool) -> Option<Cost> {
        let (cost, used, limit) = match has_begun {
            true => (Cost::Try, entry.failures, self.limit),
            false => (
                Cost::Unbegun,
                entry.unbegun,
                self.limit.saturating_mul(PATIENCE),
            ),
        };
        (used < limit).then_some(cost)
    }
}

/// How a job went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It handed in what it computed.
    Finished,
    /// It failed; what it had finished is handed in.
    Failed,
    /// It ended through no fault of its own, and is to be submitted again.
    Again,
    /// This attempt has ended, and the job is in other hands: a later attempt's, or a person's.
    Elsewhere,
}

/// What follows from the end of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing: it is known how the job went.
    Known(Outcome),
    Again(Cost),
    Over(State, String),
}

/// Closes the books on an attempt whose process has ended: what it had finished is handed in, its log and the
/// clients hear of its end, or it is planned again. Done twice, it changes nothing. The ledger is the job's own.
///
/// # Errors
/// The ledger cannot be read or written: to be called again.
pub fn settle(
    ledger: &mut Ledger,
    ended: &Ended,
    retries: &Retries,
    publisher: &mut Publisher,
) -> Result<Outcome> {
    let Ended {
        job,
        attempt,
        account,
    } = ended;
    let id = &job.processing_id;
    let Some(entry) = ledger.job(id)? else {
        return Ok(Outcome::Elsewhere);
    };
    let last = ledger.last_attempt(id)?;
    let is_last = last.as_ref().is_none_or(|last| last.number == *attempt);
    let has_begun = !last.as_ref().is_some_and(Attempt::never_began);
    let account = &known_better(account, last.filter(|_| is_last));
    let again = retries.cost(&entry, has_begun);
    let outcome = match verdict(&entry, is_last, account, again) {
        Verdict::Known(outcome) => {
            leave_nothing(&entry, *attempt, publisher)?;
            if account.ending != Ending::Exit(0) {
                say_again(job, *attempt, publisher);
            }
            outcome
        }
        Verdict::Again(cost) => {
            plan_again(ledger, &entry, *attempt, &account.words, cost, retries)?;
            publish_end(job, publisher);
            Outcome::Again
        }
        Verdict::Over(state, why) => {
            close(job, *attempt, &why, publisher)?;
            ledger.end(id, *attempt, state, Some(&why), None)?;
            Outcome::Failed
        }
    };
    let words = &account.words;
    ledger.note_end(id, *attempt, account.ending, account.peak_memory, words)?;
    ledger.settled(id, *attempt)?;
    Ok(outcome)
}

/// What the job itself said of its end, where its exit code is all that its queue knows.
fn known_better(account: &Account, attempt: Option<Attempt>) -> Account {
    let told = attempt.and_then(|attempt| attempt.reason);
    let told = told.filter(|_| account.ending == Ending::Exit(TRY_AGAIN));
    Account {
        words: told.unwrap_or_else(|| account.words.clone()),
        ..account.clone()
    }
}

/// `again`: what another try would cost, if there is one left.
fn verdict(entry: &Entry, is_last: bool, account: &Account, again: Option<Cost>) -> Verdict {
    let why = &account.words;
    match entry.state {
        State::Finished => Verdict::Known(Outcome::Finished),
        state if state.is_final() => Verdict::Known(Outcome::Failed),
        _ if !is_last || entry.held || entry.state == State::Planned => {
            Verdict::Known(Outcome::Elsewhere)
        }
        _ => match (account.fault, again) {
            // One that ended well has said so, unless it was called off just then: it is wanted after all.
            (Fault::Job, _) if account.ending != Ending::Exit(0) => {
                Verdict::Over(State::Failed, why.clone())
            }
            (Fault::Person, _) => Verdict::Over(State::Cancelled, why.clone()),
            (_, Some(cost)) => Verdict::Again(cost),
            (fault, None) => {
                let state = match fault {
                    Fault::Vanished => State::Lost,
                    _ => State::Failed,
                };
                let failed = entry.failures + entry.unbegun;
                Verdict::Over(state, after_tries(why, failed as usize + 1))
            }
        },
    }
}

fn after_tries(why: &str, tries: usize) -> String {
    match tries {
        1 => why.to_owned(),
        _ => format!("{why}; it was tried {}", counted(tries, "time")),
    }
}

fn plan_again(
    ledger: &mut Ledger,
    entry: &Entry,
    attempt: u32,
    why: &str,
    cost: Cost,
    retries: &Retries,
) -> Result<()> {
    let failures = match cost {
        Cost::Unbegun => entry.unbegun,
        _ => entry.failures,
    };
    let wait = retries.wait(failures);
    let setback = Setback {
        reason: why.to_owned(),
        cost,
        next_try: Some(ledger::now() + wait.as_secs_f64()),
    };
    ledger.set_back(&[(entry.job.processing_id.clone(), attempt)], &setback)
}

/// A job has failed for good: what its attempts had finished is kept.
fn close(job: &Job, attempt: u32, why: &str, publisher: &mut Publisher) -> Result<()> {
    let kept = hand_in(job, attempt, why)?;
    if let Kept::Fragment(fragment) = &kept {
        announce(job, fragment, publisher);
    }
    write_log(job, &format!("The job did not finish: {why}. {kept}\n"));
    publish_end(job, publisher);
    Ok(())
}

/// How the job went is known; what this attempt or an earlier one left half-written is handed in, unless a
/// complete result is there.
fn leave_nothing(entry: &Entry, attempt: u32, publisher: &mut Publisher) -> Result<()> {
    let job = &entry.job;
    let why = entry.message.as_deref().unwrap_or("it ended");
    for number in 1..=attempt {
        let writing = fragment::writing_path(&job.database_dir, job.run, &job.token(number));
        if entry.state == State::Finished {
            // What cannot be removed is found by whoever looks after the disk.
            let _ = std::fs::remove_file(writing);
        } else if let Kept::Fragment(fragment) = hand_in(job, number, why)? {
            announce(job, &fragment, publisher);
        }
    }
    Ok(())
}

/// A job that died between its last word in the ledger and those to others: they are said again.
fn say_again(job: &Job, attempt: u32, publisher: &mut Publisher) {
    let writing = fragment::writing_path(&job.database_dir, job.run, &job.token(attempt));
    let ready = fragment::ready_path(&writing);
    if ready.is_file() {
        announce(job, &ready, publisher);
    }
    publish_end(job, publisher);
}

/// What is kept of a job that did not finish.
enum Kept {
    /// It was not writing a fragment: it had not begun, or what it had completed is merged.
    NothingOpen,
    /// What it had finished.
    Fragment(PathBuf),
    /// It died in the middle of a write, for this reason its file is of no use.
    Unreadable(String),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingOpen => write!(f, "It left nothing half-done."),
            Self::Fragment(_) => write!(f, "What it had finished is kept."),
            Self::Unreadable(why) => write!(f, "What it had finished cannot be read: {why}"),
        }
    }
}

/// The fragment that the job had completed, or was writing, if there is one: it is complete then, and the variable that
/// was running gets the reason. What the disk does not take now is still there, to be handed in later.
fn hand_in(job: &Job, attempt: u32, why: &str) -> Result<Kept> {
    let writing = fragment::writing_path(&job.database_dir, job.run, &job.token(attempt));
    let ready = fragment::ready_path(&writing);
    if ready.is_file() {
        // Complete, and perhaps not announced yet.
        return Ok(Kept::Fragment(ready));
    }
    if !writing.is_file() {
        return Ok(Kept::NothingOpen);
    }
    let running: Vec<_> = fragment::running(&writing)
        .map(|name| (name, died(why)))
        .into_iter()
        .collect();
    match fragment::salvage(&writing, &running) {
        Ok(ready) => Ok(Kept::Fragment(ready)),
        Err(why) if why.is_transient() => Err(why.into()),
        Err(why) => {
            error!(
                proposal = job.run.proposal.0,
                run = job.run.number.0,
                "what the job had finished cannot be read: {why}"
            );
            Ok(Kept::Unreadable(why.to_string()))
        }
    }
}

fn died(why: &str) -> Failure {
    Failure {
        class: "JobDied".into(),
        message: format!("the job did not finish: {why} while this variable was evaluated"),
    }
}

fn announce(job: &Job, fragment: &Path, publisher: &mut Publisher) {
    let update = Update::submission(&job.database_dir, fragment, job.run);
    publisher.publish(&job.database_dir, FILE_SUBMISSIONS, &update);
}

/// Nobody would say it again: it is on disk before the attempt is settled.
fn publish_end(job: &Job, publisher: &mut Publisher) {
    let dir = &job.database_dir;
    let told = Database::open(dir)
        .map_err(Error::from)
        .and_then(|db| publisher.publish_lasting(dir, &db.update_topic(), &Update::finished(job)));
    if let Err(why) = told {
        error!(
            proposal = job.run.proposal.0,
            run = job.run.number.0,
            "the clients are not told that the job has ended: {why}"
        )
    }
}

/// A line for the people who read the run's log.
pub(crate) fn write_log(job: &Job, line: &str) {
    let written = open_log(job).map(|mut log| log.write_all(line.as_bytes()));
    if !matches!(written, Ok(Ok(()))) {
        warn!(proposal = job.run.proposal.0, run = job.run.number.0, log = %job.log().display(), "the log cannot be written");
    }
}
