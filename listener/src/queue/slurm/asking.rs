//! Asking Slurm about jobs: the queue first, then the books about those that have left it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::accounts::{self, Records};
use super::command::{self, Answer};
use super::line::{self, Row};
use super::{SlurmQueue, words};
use crate::ledger::{self, Attempt};
use crate::queue::{Account, Fault, JobState};
use crate::{Error, Result};

/// So many numbers fit on a command line with room to spare.
pub(super) const AT_ONCE: usize = 2000;

/// After so many seconds the accounts know how a job ended, or never will.
const BOOKED: f64 = 60.0;
/// After so many seconds they know what memory a job took, or never will.
const MEASURED: f64 = 15.0;

impl SlurmQueue {
    /// What a command came to, well or not.
    pub(super) fn answer(&self, command: Command) -> Result<Answer> {
        let answer = command::ask(command, self.settings.patience);
        answer.map_err(|silence| Error::Queue(silence.to_string()))
    }

    /// What a command printed that did its work.
    pub(super) fn ask(&self, command: Command) -> Result<String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let answer = self.answer(command)?;
        match answer.is_success() {
            true => Ok(answer.output),
            false => Err(Error::Queue(format!("{program}: {}", answer.why()))),
        }
    }

    /// A command about one cluster's jobs.
    pub(super) fn about(&self, program: &Path, cluster: Option<&str>) -> Command {
        let mut command = command::slurm(program);
        if let Some(cluster) = cluster.filter(|_| self.settings.names_clusters()) {
            command.arg("--clusters").arg(cluster);
        }
        command
    }

    /// `squeue`, a line for each task, also of those that ended a moment ago; whose is still to be said.
    pub(super) fn squeue(&self, cluster: Option<&str>) -> Command {
        let mut squeue = self.about(&self.settings.squeue, cluster);
        squeue.args(["--array", "--noheader", "--states=all"]);
        squeue.args(["--format", line::FORMAT]);
        squeue
    }

    /// What the queue has of some arrays and lone jobs, also of those that left it a moment ago.
    pub(super) fn queue(
        &self,
        cluster: Option<&str>,
        numbers: &BTreeSet<&str>,
    ) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let numbers: Vec<&str> = numbers.iter().copied().collect();
        for some in numbers.chunks(AT_ONCE) {
            let mut squeue = self.squeue(cluster);
            squeue.arg(format!("--jobs={}", at_least_two(some)));
            rows.extend(line::rows(&self.ask(squeue)?));
        }
        Ok(rows)
    }

    /// What the books have of them, from before the first was submitted: by themselves they begin at midnight.
    fn accounts(&self, cluster: Option<&str>, attempts: &[&Attempt]) -> Result<Records> {
        let numbers: BTreeSet<&str> = attempts.iter().map(|attempt| number(attempt)).collect();
        let numbers: Vec<&str> = numbers.into_iter().collect();
        let first = attempts
            .iter()
            .map(|attempt| attempt.submitted_at)
            .fold(f64::INFINITY, f64::min);
        let since = Duration::from_secs_f64((ledger::now() - first).clamp(0.0, 1e9) + 3600.0);
        let mut output = String::new();
        for some in numbers.chunks(AT_ONCE) {
            let sacct = |format| {
                let mut sacct = self.about(&self.settings.sacct, cluster);
                sacct.args(["--parsable2", "--noheader", "--duplicates"]);
                sacct.args(["--format", format]);
                sacct.arg(format!("--starttime=now-{}seconds", since.as_secs()));
                sacct.arg(format!("--jobs={}", some.join(",")));
                self.ask(sacct)
            };
            output += &match sacct(accounts::FORMAT) {
                Err(why) if why.to_string().contains(accounts::OLDER) => {
                    sacct(accounts::OLDER_FORMAT)?
                }
                answer => answer?,
            };
        }
        Ok(Records::read(&output))
    }

    /// The states of one cluster's attempts.
    pub(super) fn states_of(
        &self,
        cluster: Option<&str>,
        attempts: &[&Attempt],
    ) -> Result<Vec<JobState>> {
        let numbers = attempts.iter().map(|attempt| number(attempt)).collect();
        let rows = self.queue(cluster, &numbers)?;
        let rows: HashMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        let row_of = |attempt: &Attempt| {
            let row = rows.get(attempt.queue_id.as_deref()?)?;
            is_of(row, attempt).then_some(*row)
        };
        let rows: Vec<Option<&Row>> = attempts.iter().map(|attempt| row_of(attempt)).collect();
        let pairs = attempts.iter().zip(&rows);
        let left: Vec<&Attempt> = pairs
            .filter(|(_, row)| row.is_none_or(|row| row.has_ended()))
            .map(|(attempt, _)| *attempt)
            .collect();
        let books = match left.is_empty() || !self.settings.accounting {
            true => Ok(Records::default()),
            false => self.accounts(cluster, &left),
        };
        let state = |(attempt, row): (&&Attempt, Option<&Row>)| match (row, &books) {
            (Some(row), _) if !row.has_ended() => row.state(),
            // How it ended is not in the queue.
            (_, Err(_)) => JobState::Silent,
            (row, Ok(books)) => match (self.in_books(books, attempt), row) {
                (Some(state), Some(row)) if is_unmeasured(&state, row) => JobState::Silent,
                (Some(state), _) => state,
                (None, Some(row)) if self.settings.accounting && is_fresh(row) => JobState::Silent,
                (None, Some(row)) => row.state(),
                (None, None) => JobState::Gone,
            },
        };
        Ok(attempts.iter().zip(rows).map(state).collect())
    }

    fn in_books(&self, books: &Records, attempt: &Attempt) -> Option<JobState> {
        let name = job_name(attempt)?;
        let token = (!is_by_hand(attempt)).then_some(attempt.token.as_str());
        let id = attempt.queue_id.as_deref()?;
        let record = books.find(id, &name, attempt.submitted_at, token)?;
        record
            .is_closed()
            .then(|| words::state(&record.state, "", record.ending, record.peak_memory))
    }
}

/// The number of a lone job, or of a task's array.
pub(super) fn number(attempt: &Attempt) -> &str {
    let id = attempt.queue_id.as_deref().unwrap_or("0");
    id.split_once('_').map_or(id, |(array, _)| array)
}

/// About one number that is unknown `squeue` complains, about two it says nothing.
fn at_least_two(numbers: &[&str]) -> String {
    match numbers {
        [one] => format!("{one},{}", if *one == "1" { "2" } else { "1" }),
        many => many.join(","),
    }
}

/// Whether a row is about this attempt: an `extract` that somebody submitted by hand has no token.
pub(super) fn is_of(row: &Row, attempt: &Attempt) -> bool {
    is_by_hand(attempt) || row.token == attempt.token
}

fn is_by_hand(attempt: &Attempt) -> bool {
    attempt.process.is_some() && attempt.submitter == attempt.process
}

/// Whether the books may not know yet how it ended.
fn is_fresh(row: &Row) -> bool {
    has_just_ended(row, BOOKED)
}

/// Whether the books may not know yet what memory a job took. What the queue or a person ended may never have begun.
fn is_unmeasured(state: &JobState, row: &Row) -> bool {
    let has_begun = |fault| matches!(fault, Fault::Job | Fault::Vanished);
    let is_unknown = |account: &Account| has_begun(account.fault) && account.peak_memory.is_none();
    let is_so = matches!(state, JobState::Ended(account) if is_unknown(account));
    is_so && has_just_ended(row, MEASURED)
}

fn has_just_ended(row: &Row, seconds: f64) -> bool {
    let now = ledger::now();
    row.ended_at
        .is_some_and(|ended_at| now < ended_at + seconds)
}

/// Its name in Slurm; the log is named after the run.
fn job_name(attempt: &Attempt) -> Option<String> {
    let log = attempt.log.as_ref()?;
    let stem = log.file_stem()?.to_str()?;
    let (_, proposal) = stem.rsplit_once('-')?;
    match attempt.task {
        Some(_) => Some(format!("{proposal}-damnit")),
        None => Some(format!("{stem}-damnit")),
    }
}
