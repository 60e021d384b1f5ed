//! What a worker is asked for.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::run::{RunData, RunId};
use crate::value::Failure;

/// What is to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The run.
    pub run: RunId,
    /// The part of its data that the job is about.
    pub data: RunData,
    /// The job's variables, dependencies first, as [`crate::selection::Selection::names`] gives them.
    pub selected: Vec<String>,
    /// Those of `selected` that are evaluated now, in this order: at first all.
    pub names: Vec<String>,
    /// Those of `names` that are evaluated for the sake of others only: nothing is heard of them.
    pub again: Vec<String>,
    /// Those of `selected` whose values an earlier job has left: they have no turn.
    pub given: Option<Handed>,
    /// Variables whose values are left for a later job, where they can be given back exactly.
    pub hand_over: Option<Handed>,
    /// Variables that failed before, in another worker.
    pub lost: Vec<(String, Failure)>,
    /// So many variables may be evaluated at once, in forks; 1: one after the other, in the worker itself.
    pub workers: usize,
    /// Whether functions get a mock instead of the run.
    pub mock: bool,
    /// Values of `param#` arguments.
    pub params: Map<String, Value>,
    /// The site's own opener, `module:function`; None for `extra_data.open_run`.
    pub opener: Option<String>,
}

/// Values in a folder, on their way from one job to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The folder; it exists.
    pub folder: PathBuf,
    /// The variables.
    pub names: Vec<String>,
}

impl Handed {
    fn as_message(&self) -> Value {
        json!({"folder": self.folder.to_string_lossy(), "names": self.names})
    }
}

impl Request {
    pub(super) fn as_message(&self) -> Value {
        let lost = self.lost.iter().map(|(name, failure)| {
            json!({"name": name, "class": failure.class, "text": failure.message})
        });
        json!({
            "message": "evaluate",
            "proposal": self.run.proposal,
            "run": self.run.number,
            "run_data": self.data,
            "selected": self.selected,
            "names": self.names,
            "again": self.again,
            "given": self.given.as_ref().map(Handed::as_message),
            "hand_over": self.hand_over.as_ref().map(Handed::as_message),
            "lost": lost.collect::<Vec<_>>(),
            "workers": self.workers,
            "mock": self.mock,
            "params": self.params,
            "opener": self.opener,
        })
    }
}
