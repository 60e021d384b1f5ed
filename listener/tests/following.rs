//! A job that follows another takes what is there already: light variables are evaluated once over both.

mod support;

use std::path::Path;
use std::time::Duration;

use runledger_context::run::RunData;
use runledger_context::worker::Stop;
use runledger_listener::extraction::{Extracted, ExtractionSettings, extract};
use runledger_listener::job::{Job, Request};
use runledger_listener::ledger::Progress;
use runledger_listener::queue::Surroundings;
use support::*;
use tempfile::TempDir;

const CONTEXT: &str = r#"
from damnit_ctx import Variable
import numpy as np

def count(name):
    with open("calls", "a") as file:
        file.write(name + "\n")

@Variable
def base(run):
    count("base")
    return 2

@Variable
def light(run, base: "var#base"):
    count("light")
    return (np.arange(3) * base).astype("u2")

@Variable
def unneeded(run):
    count("unneeded")
    return 5

@Variable(transient=True)
def object(run, base: "var#base"):
    count("object")
    return [base]

@Variable(cluster=True)
def heavy(run, light: "var#light", object: "var#object"):
    count("heavy")
    assert light.dtype == "u2" and light.shape == (3,)
    return light.sum() + object[0]
"#;

/// A database whose jobs believe that they are in Slurm.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(database());
        stage.write(CONTEXT);
        stage
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, context: &str) {
        std::fs::write(self.dir().join("context.py"), context).unwrap();
    }

    fn job(&self, cluster: bool) -> Job {
        let request = Request {
            cluster,
            mock: true,
            ..Request::default()
        };
        Job::new(run(7), RunData::Raw, self.dir().into(), request)
    }

    fn extract(&self, job: &Job) -> Extracted {
        let extracted = extract(job, None, &Self::settings(), publisher(None)).unwrap();
        assert_eq!(extracted.cut_short, None);
        extracted
    }

    fn settings() -> ExtractionSettings {
        let python = std::env::var_os("RUNLEDGER_TEST_PYTHON");
        ExtractionSettings {
            python: python.map_or_else(|| "python3".into(), Into::into),
            opener: None,
            environment: Default::default(),
            time_limit: Duration::from_secs(300),
            variable_time_limit: None,
            memory: None,
            context_workers: 1,
            keep_python: None,
            sandbox: Default::default(),
            data: Default::default(),
            stop: Stop::default(),
            surroundings: Surroundings {
                queue_id: Some("12".into()),
                cluster: Some("maxwell".into()),
                restarts: 0,
            },
        }
    }

    /// The functions that were called since they were last asked for.
    fn calls(&self) -> Vec<String> {
        let path = self.dir().join("calls");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::remove_file(path).ok();
        let mut calls: Vec<String> = text.lines().map(Into::into).collect();
        calls.sort();
        calls
    }

    /// How many hand-overs wait.
    fn waiting(&self) -> usize {
        let folder = std::fs::read_dir(self.dir().join("handed_over"));
        folder.map_or(0, Iterator::count)
    }
}

fn progress(variables: u32) -> Option<Progress> {
    Some(Progress {
        done: variables,
        variables,
    })
}

#[test]
fn light_variables_are_evaluated_once_over_both_jobs() {
    let stage = Stage::new();
    let first = stage.extract(&stage.job(false));
    assert_eq!(stage.calls(), ["base", "light", "object", "unneeded"]);
    assert_eq!(first.progress, progress(4));
    let follow_up = first.follow_up.expect("a job for `heavy`");
    assert_eq!(stage.waiting(), 1);

    let second = stage.extract(&follow_up);
    assert_eq!(stage.calls(), ["heavy", "object"]);
    assert_eq!((second.computed, second.failed), (1, 0));
    assert_eq!(second.progress, progress(1));
    assert_eq!(value(stage.dir(), 7, "heavy"), Some(8.0));
    assert_eq!(stage.waiting(), 0);
}

#[test]
fn values_wait_for_the_next_attempt_of_a_job_that_was_ended() {
    let stage = Stage::new();
    let first = stage.extract(&stage.job(false));
    stage.calls();
    let follow_up = first.follow_up.expect("a job for `heavy`");
    let settings = Stage::settings();
    settings.stop.raise();
    let ended = extract(&follow_up, None, &settings, publisher(None));
    assert!(ended.is_err() || ended.unwrap().cut_short.is_some());
    assert_eq!(stage.waiting(), 1);
    stage.extract(&follow_up);
    assert_eq!(stage.calls(), ["heavy", "object"]);
    assert_eq!(stage.waiting(), 0);
}

#[test]
fn values_of_another_context_file_are_not_taken() {
    let stage = Stage::new();
    let first = stage.extract(&stage.job(false));
    stage.calls();
    stage.write(&CONTEXT.replace("return 2", "return 3"));
    let follow_up = first.follow_up.expect("a job for `heavy`");
    let second = stage.extract(&follow_up);
    assert_eq!(stage.calls(), ["base", "heavy", "light", "object"]);
    assert_eq!(second.progress, progress(4));
    assert_eq!(second.computed, 3);
    assert_eq!(value(stage.dir(), 7, "base"), Some(3.0));
}

/// Puts an array in the place of another that makes a folder when it is unpickled, in as many bytes.
const TRAP: &str = r#"
import os, sys
import numpy as np

class Trap:
    def __reduce__(self):
        return os.mkdir, (sys.argv[2],)

length = os.path.getsize(sys.argv[1])
np.save(sys.argv[1], np.array([Trap()], dtype=object), allow_pickle=True)
assert os.path.getsize(sys.argv[1]) <= length
os.truncate(sys.argv[1], length)
"#;

#[test]
fn what_somebody_put_in_the_place_of_a_value_is_not_executed() {
    let stage = Stage::new();
    let long = CONTEXT.replace("arange(3)", "arange(999)");
    stage.write(&long.replace("(3,)", "(999,)"));
    let follow_up = stage.extract(&stage.job(false)).follow_up;
    let follow_up = follow_up.expect("a job for `heavy`");
    let handed_over = std::fs::read_dir(stage.dir().join("handed_over")).unwrap();
    let values = handed_over.map(|folder| folder.unwrap().path().join("light.npy"));
    let value = values.last().expect("a folder with values");
    assert!(value.is_file());
    let sprung = stage.dir().join("sprung");
    let mut set = std::process::Command::new(Stage::settings().python);
    set.args(["-c", TRAP]).args([&value, &sprung]);
    assert!(set.status().unwrap().success());

    let second = stage.extract(&follow_up);
    assert_eq!((second.computed, second.failed), (0, 1));
    assert!(!sprung.exists());
}

#[test]
fn a_cluster_job_without_an_earlier_one_evaluates_all_that_it_needs() {
    let stage = Stage::new();
    let done = stage.extract(&stage.job(true));
    assert_eq!(stage.calls(), ["base", "heavy", "light", "object"]);
    assert_eq!((done.computed, done.follow_up), (3, None));
}

#[test]
fn a_job_that_leaves_nothing_to_another_hands_nothing_over() {
    let stage = Stage::new();
    stage.write(&CONTEXT.replace("cluster=True", "cluster=False"));
    assert_eq!(stage.extract(&stage.job(false)).follow_up, None);
    assert_eq!(stage.waiting(), 0);
}
