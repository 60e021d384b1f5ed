//! Who did what: the ledger, and what the evaluations have written down themselves, have to agree to the last line.

use std::collections::{BTreeMap, BTreeSet};

use runledger_listener::ledger::{Attempt, Entry, Ledger, State};

use crate::evaluations::{Evaluation, evaluations};
use crate::stage::{Stage, Victim};

/// All there is to compare.
#[derive(Debug)]
pub(crate) struct Books {
    jobs: Vec<Entry>,
    attempts: Vec<Attempt>,
    evaluations: Vec<Evaluation>,
    killed_jobs: BTreeSet<(String, u32)>,
    /// Whether Slurm may have forgotten, or ended, what it had started.
    is_forgetful: bool,
    /// How often Slurm's node says that it has started a job, by Slurm's numbers.
    launches: BTreeMap<String, usize>,
}

impl Books {
    pub(crate) fn of(stage: &Stage<'_>) -> Self {
        let dir = stage.site.db();
        let ledger = Ledger::open(&dir).expect("the ledger");
        Self {
            jobs: ledger.jobs().expect("the jobs"),
            attempts: ledger.all_attempts().expect("the attempts"),
            evaluations: evaluations(&dir),
            killed_jobs: stage.killed_jobs.clone(),
            is_forgetful: stage.blows.contains(&Victim::Controller),
            launches: launches(&stage.node_log()),
        }
    }

    /// Whether nothing will follow, for as many runs.
    pub(crate) fn are_closed(&self, runs: u32) -> bool {
        let is_over = |entry: &Entry| entry.state.is_final();
        self.jobs.len() >= runs as usize && self.jobs.iter().all(is_over)
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

    /// Runs that have no job; jobs that their runs should not have.
    pub(crate) fn lost_and_doubled(&self, runs: u32) -> (usize, usize) {
        let known: BTreeSet<u32> = self.jobs.iter().map(|e| e.job.run.number.0).collect();
        (runs as usize - known.len(), self.jobs.len() - known.len())
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

    /// Whether a file was left by a job that was killed in the middle of a write, so that it can't be read.
    pub(crate) fn explains(&self, left: &str) -> bool {
        let is_complete = left.ends_with(".ready.h5");
        !is_complete && self.killed_jobs.iter().any(|(job, _)| left.contains(job))
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
        wrong.extend(self.wrong_launches());
        wrong
    }

    /// Each run has one job, which has finished, or whose process was killed.
    fn wrong_jobs(&self, runs: u32) -> Vec<String> {
        let mut missing: BTreeSet<u32> = (1..=runs).collect();
        let mut wrong = Vec::new();
        let finished = self.finished();
        for entry in &self.jobs {
            let run = entry.job.run.number.0;
            if !missing.remove(&run) {
                wrong.push(format!("run {run} has a job too many"));
            }
            let was_killed = self.last_attempt(entry).is_some_and(|a| self.was_killed(a));
            let is_right = match entry.state {
                State::Finished => finished.contains_key(&run),
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

    /// Who began and was not interrupted has evaluated once, and is the last one who did; who was interrupted, once or
    /// not at all.
    fn wrong_attempt(&self, attempt: &Attempt) -> Option<String> {
        let all = self.evaluations_by(attempt);
        let complete = all.iter().filter(|one| one.energy.is_some()).count();
        let last = |entry: &Entry| self.last_attempt(entry) == Some(attempt);
        let is_last = self.jobs.iter().any(last);
        let is_right = match &attempt.process {
            None => all.is_empty(),
            Some(_) if self.was_killed(attempt) => true,
            Some(_) if !is_last => self.is_forgetful,
            Some(_) => complete == 1,
        };
        let is_told = is_last || attempt.reason.is_some();
        (!is_right || !is_told).then(|| format!("{attempt:?}\nhas evaluated {all:?}"))
    }

    /// An attempt evaluates once, unless Slurm says that it has begun it again; always by the process in the ledger, which
    /// is the last one. One that was killed Slurm may have begun again without knowing that.
    fn wrong_evaluation(&self, evaluation: &Evaluation) -> Option<String> {
        let name = (evaluation.job.clone(), evaluation.attempt);
        let launches = self.launches.get(&evaluation.in_slurm);
        if self.killed_jobs.contains(&name) && launches > Some(&1) {
            return None;
        }
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

    /// Nothing is evaluated more often than Slurm started it.
    fn wrong_launches(&self) -> Vec<String> {
        let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
        for evaluation in self.evaluations.iter().filter(|e| !e.in_slurm.is_empty()) {
            *begun.entry(&evaluation.in_slurm).or_default() += 1;
        }
        let is_wrong = |(id, count): &(&str, usize)| self.launches.get(*id) < Some(count);
        let wrong = begun.into_iter().filter(is_wrong);
        wrong
            .map(|(id, count)| format!("Slurm's {id} was evaluated {count} times"))
            .collect()
    }
}

/// A number is used again where a controller has forgotten it.
fn launches(node_log: &str) -> BTreeMap<String, usize> {
    let mut launches = BTreeMap::new();
    for line in node_log.lines() {
        if let Some((_, job)) = line.split_once("Launching batch job ") {
            let id = job.split_whitespace().next().unwrap_or_default();
            *launches.entry(id.to_owned()).or_default() += 1;
        }
    }
    launches
}

fn is_killed(message: &Option<String>) -> bool {
    let why = message.as_deref().unwrap_or_default();
    why.contains("SIGKILL")
}
