//! Who did what: the ledger, and what the evaluations have written down themselves, have to agree to the last line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use runledger_listener::ledger::{Attempt, Entry, Ledger, State};

use crate::stage::Stage;

/// One evaluation, as the context file tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluation {
    job: String,
    attempt: u32,
    process: u32,
    /// How often Slurm had begun this job again by itself.
    restarts: u64,
    /// Slurm's number of it.
    in_slurm: String,
    /// What it came to; None: it was interrupted.
    energy: Option<f64>,
}

/// All there is to compare.
#[derive(Debug)]
pub(crate) struct Books {
    jobs: Vec<Entry>,
    attempts: Vec<Attempt>,
    /// How many attempts a queue is still to be asked about.
    open: usize,
    evaluations: Vec<Evaluation>,
    killed_jobs: BTreeSet<(String, u32)>,
}

impl Books {
    pub(crate) fn of(stage: &Stage<'_>) -> Self {
        let dir = stage.site.db();
        let ledger = Ledger::open(&dir).expect("the ledger");
        Self {
            jobs: ledger.jobs().expect("the jobs"),
            attempts: ledger.all_attempts().expect("the attempts"),
            open: ledger.open_attempts().expect("the attempts").len(),
            evaluations: evaluations(&dir),
            killed_jobs: stage.killed_jobs.clone(),
        }
    }

    /// Whether nothing will follow, for as many runs.
    pub(crate) fn are_closed(&self, runs: u32) -> bool {
        let is_over = |entry: &Entry| entry.state.is_final();
        self.jobs.len() >= runs as usize && self.jobs.iter().all(is_over) && self.open == 0
    }

    /// What each run that is finished has come to.
    pub(crate) fn finished(&self) -> BTreeMap<u32, f64> {
        let finished = self.jobs.iter().filter(|e| e.state == State::Finished);
        let energy = |entry: &Entry| {
            let by_last = self.evaluations_by(self.last_attempt(entry)?);
            Some((entry.job.run.number.0, by_last.last()?.energy?))
        };
        finished.filter_map(energy).collect()
    }

    /// Runs whose job did not finish.
    pub(crate) fn failed(&self) -> BTreeSet<u32> {
        let failed = self.jobs.iter().filter(|e| e.state != State::Finished);
        failed.map(|entry| entry.job.run.number.0).collect()
    }

    /// More evaluations than runs were begun.
    pub(crate) fn repeated(&self) -> usize {
        self.evaluations.len().saturating_sub(self.jobs.len())
    }

    fn last_attempt(&self, entry: &Entry) -> Option<&Attempt> {
        let id = &entry.job.processing_id;
        self.attempts.iter().rfind(|a| a.processing_id == *id)
    }

    fn evaluations_by(&self, attempt: &Attempt) -> Vec<&Evaluation> {
        let is_its =
            |one: &&Evaluation| one.job == attempt.processing_id && one.attempt == attempt.number;
        self.evaluations.iter().filter(is_its).collect()
    }

    fn was_killed(&self, attempt: &Attempt) -> bool {
        let name = (attempt.processing_id.clone(), attempt.number);
        self.killed_jobs.contains(&name)
    }

    /// Everything that must not be so.
    pub(crate) fn wrong(&self, runs: u32) -> Vec<String> {
        let mut wrong = self.wrong_jobs(runs);
        wrong.extend(self.attempts.iter().filter_map(|a| self.wrong_attempt(a)));
        wrong.extend(
            self.evaluations
                .iter()
                .filter_map(|e| self.wrong_evaluation(e)),
        );
        wrong
    }

    /// Each run has one job, which has finished, or whose process was killed.
    fn wrong_jobs(&self, runs: u32) -> Vec<String> {
        let mut missing: BTreeSet<u32> = (1..=runs).collect();
        let mut wrong = Vec::new();
        for entry in &self.jobs {
            let run = entry.job.run.number.0;
            if !missing.remove(&run) {
                wrong.push(format!("run {run} has a job too many"));
            }
            let was_killed = self.last_attempt(entry).is_some_and(|a| self.was_killed(a));
            let is_right = match entry.state {
                State::Finished => self.finished().contains_key(&run),
                State::Failed => was_killed && is_killed(&entry.message),
                _ => false,
            };
            if !is_right {
                let (state, why) = (entry.state.as_str(), &entry.message);
                wrong.push(format!(
                    "run {run} is {state}, and nobody killed it: {why:?}"
                ));
            }
        }
        wrong.extend(missing.iter().map(|run| format!("run {run} has no job")));
        wrong
    }

    /// Who began and was not interrupted has evaluated once; who was interrupted, once or not at all.
    fn wrong_attempt(&self, attempt: &Attempt) -> Option<String> {
        let all = self.evaluations_by(attempt);
        let complete = all.iter().filter(|one| one.energy.is_some()).count();
        let last = |entry: &Entry| self.last_attempt(entry) == Some(attempt);
        let is_last = self.jobs.iter().any(last);
        let is_interrupted = self.was_killed(attempt) || !is_last;
        let is_right = match &attempt.process {
            None => all.is_empty(),
            Some(_) if is_interrupted => true,
            Some(_) => complete == 1,
        };
        let is_told = is_last || attempt.reason.is_some();
        (!is_right || !is_told).then(|| format!("{attempt:?}\nhas evaluated {all:?}"))
    }

    /// An attempt evaluates once, unless Slurm says that it has begun it again; always by the process in the ledger.
    fn wrong_evaluation(&self, evaluation: &Evaluation) -> Option<String> {
        let is_same = |one: &&Evaluation| {
            (&one.job, one.attempt, one.restarts)
                == (&evaluation.job, evaluation.attempt, evaluation.restarts)
        };
        let is_once = self.evaluations.iter().filter(is_same).count() == 1;
        let restarts = self.evaluations.iter().filter(|one| {
            (&one.job, one.attempt) == (&evaluation.job, evaluation.attempt)
                && one.restarts > evaluation.restarts
        });
        let is_known = restarts.count() > 0
            || self.attempts.iter().any(|attempt| {
                let process = attempt.process.as_ref().map(|process| process.pid);
                (&attempt.processing_id, attempt.number) == (&evaluation.job, evaluation.attempt)
                    && process == Some(evaluation.process)
            });
        (!is_once || !is_known).then(|| format!("nobody is to do this: {evaluation:?}"))
    }
}

fn is_killed(message: &Option<String>) -> bool {
    let why = message.as_deref().unwrap_or_default();
    why.contains("SIGKILL")
}

/// Those that began, in this order; a second line of one has what it came to.
fn evaluations(dir: &Path) -> Vec<Evaluation> {
    let text = std::fs::read_to_string(dir.join("evaluations")).unwrap_or_default();
    let mut all: Vec<Evaluation> = Vec::new();
    for line in text.lines() {
        let new = evaluation(line);
        let is_begun = |one: &&mut Evaluation| {
            one.energy.is_none() && one.process == new.process && one.job == new.job
        };
        match all.iter_mut().find(is_begun) {
            Some(begun) => *begun = new,
            None => all.push(new),
        }
    }
    all
}

fn evaluation(line: &str) -> Evaluation {
    let line: serde_json::Value = serde_json::from_str(line).expect("a line that is JSON");
    let text = |key: &str| line[key].as_str().expect("a text").to_owned();
    let number = |key: &str| line[key].as_u64().expect("a number");
    let small = |key: &str| u32::try_from(number(key)).expect("a small number");
    Evaluation {
        job: text("job"),
        attempt: small("attempt"),
        process: small("process"),
        restarts: number("restarts"),
        in_slurm: text("in_slurm"),
        energy: line["energy"].as_f64(),
    }
}
