//! What is to be done in a job: which variables have a turn in it, what it takes over and what it leaves.

use std::collections::BTreeSet;

use runledger_context::manifest::Manifest;
use runledger_context::selection::Selection;
use runledger_context::worker::Handed;
use tracing::info;

use super::handover::Handover;
use crate::job::{Job, Request};

/// A job's variables.
pub(super) struct Work {
    /// All, dependencies first.
    pub(super) selected: Vec<String>,
    /// Those that have a turn.
    pub(super) names: Vec<String>,
    /// Of these, those whose results an earlier job has stored.
    pub(super) again: Vec<String>,
    /// Those whose values an earlier job has left.
    pub(super) given: Option<Handed>,
    /// Those whose values are left for the job that follows.
    pub(super) hand_over: Option<Handed>,
    /// The job for the variables that want a node of their own.
    pub(super) follow_up: Option<Job>,
}

impl Work {
    /// The work of a job whose Python may leave values for a later one, or may not.
    pub(super) fn of(
        job: &Job,
        selection: &Selection,
        manifest: &Manifest,
        may_leave: bool,
    ) -> Self {
        match Handover::to(job).waiting(manifest, job.data) {
            Some(waiting) => Self::after_another(job, selection, manifest, &waiting),
            None => Self::first(job, selection, manifest, may_leave),
        }
    }

    fn first(job: &Job, selection: &Selection, manifest: &Manifest, may_leave: bool) -> Self {
        let names = selection.names(manifest);
        let left = selection.cluster_variables_left(manifest);
        let follow_up = left.map(|left| (follow_up(job), left.names(manifest)));
        let later = follow_up.as_ref().filter(|_| may_leave);
        let hand_over = later.and_then(|(follow_up, needed)| {
            let is_left = |name: &&String| names.contains(name) && is_stored(manifest, name);
            let needed = needed.iter().filter(is_left).cloned().collect();
            Handover::to(follow_up).begin(needed)
        });
        Self {
            selected: names.clone(),
            names,
            again: Vec::new(),
            given: None,
            hand_over,
            follow_up: follow_up.map(|(follow_up, _)| follow_up),
        }
    }

    /// What the other job has stored is taken from it, or else evaluated for the others only.
    fn after_another(
        job: &Job,
        selection: &Selection,
        manifest: &Manifest,
        waiting: &BTreeSet<String>,
    ) -> Self {
        let selected = selection.names_beside(manifest, &|name| waiting.contains(name));
        let is_given = |name: &String| waiting.contains(name);
        let (given, names): (Vec<_>, Vec<_>) = selected.iter().cloned().partition(is_given);
        let is_picked = |name: &str| manifest.variable(name).is_some_and(|v| selection.picks(v));
        let again: Vec<_> = names.iter().filter(|name| !is_picked(name)).collect();
        if !again.is_empty() {
            info!("evaluated again, because no value of them was left: {again:?}");
        }
        Self {
            again: again.into_iter().cloned().collect(),
            names,
            given: Some(Handover::to(job).of(given)),
            selected,
            hand_over: None,
            follow_up: None,
        }
    }

    /// How many variables this job is for.
    pub(super) fn count(&self) -> usize {
        self.names.len() - self.again.len()
    }

    /// Once all is evaluated: what was taken over is not needed any more, what is left counts. The job that follows.
    pub(super) fn finish(self, job: &Job, manifest: &Manifest) -> Option<Job> {
        if self.given.is_some() {
            Handover::to(job).remove();
        }
        let follow_up = self.follow_up?;
        if self.hand_over.is_some() {
            Handover::to(&follow_up).complete(manifest, job.data);
        }
        Some(follow_up)
    }

    /// No job follows.
    pub(super) fn give_up(self) {
        if let Some(follow_up) = self.follow_up {
            Handover::to(&follow_up).remove();
        }
    }
}

fn is_stored(manifest: &Manifest, name: &str) -> bool {
    manifest.variable(name).is_some_and(|v| !v.transient)
}

/// The same wish, for the variables that want a node of their own.
fn follow_up(job: &Job) -> Job {
    let request = Request {
        cluster: true,
        update_variables: false,
        ..job.request.clone()
    };
    Job::new(job.run, job.data, job.database_dir.clone(), request)
}
