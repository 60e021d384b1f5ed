//! A database folder with a context file, and the real Python that reads it.

#![allow(dead_code)] // Each test program uses its own part.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_context::run::{RunData, RunId};
use runledger_context::selection::Selection;
use runledger_context::value::{Array, Cell, Dtype, Failure, Outcome};
use runledger_context::worker::{Broken, CutShort, End, Event, Limits, Request, Setup, Worker};
use runledger_context::{Error, Result};
use tempfile::TempDir;

/// A type, a shape and the bytes in hexadecimal.
pub(crate) fn array(array: &Array) -> (Dtype, &[usize], String) {
    let hex = array
        .bytes
        .in_memory()
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"));
    (array.dtype.clone(), &array.shape, hex.collect())
}

/// The interpreter of the tests: it has NumPy; some tests need xarray, extra_data and damnit too.
pub(crate) fn python() -> PathBuf {
    std::env::var_os("RUNLEDGER_TEST_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// What most files begin with.
const IMPORTS: &str = "from damnit_ctx import Variable, Cell, Skip\nimport numpy as np\n";

/// A folder with a context file.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// With the usual imports before `code`.
    pub(crate) fn with(code: &str) -> Self {
        Self::with_exactly(&format!("{IMPORTS}{code}"))
    }

    pub(crate) fn with_exactly(code: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("context.py", code);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).unwrap();
    }

    /// A program that pretends to be Python.
    pub(crate) fn script(&self, content: &str) -> PathBuf {
        let path = self.path().join("fake-python");
        self.write("fake-python", &format!("#!/bin/sh\n{content}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn start(&self) -> Result<Worker> {
        Worker::start(self.setup(), &seconds(120))
    }

    /// The error of a folder whose context file cannot be used.
    pub(crate) fn refusal(&self) -> Error {
        self.start()
            .expect_err("the context file should be refused")
    }

    /// Evaluates everything with a mock run.
    pub(crate) fn evaluate(&self) -> Evaluated {
        self.evaluate_within(&seconds(120), |_| {})
    }

    pub(crate) fn setup(&self) -> Setup {
        self.setup_with(python())
    }

    pub(crate) fn setup_with(&self, python: PathBuf) -> Setup {
        Setup {
            python,
            database_dir: self.path().to_path_buf(),
            memory: None,
            keep: None,
            environment: Default::default(),
            launcher: Default::default(),
        }
    }

    /// Evaluates everything, in as many workers as it takes.
    pub(crate) fn evaluate_all(&self, setup: Setup, limits: &Limits) -> Whole {
        let mut worker = Worker::start(setup, limits).unwrap();
        let request = mock_request(Selection::of(RunData::All).names(worker.manifest()));
        let mut events = Vec::new();
        let cut_short = worker.evaluate_all(&request, limits, &mut |event| events.push(event));
        Whole {
            cut_short: cut_short.unwrap(),
            heard: Evaluated {
                end: End::Finished,
                events,
            },
        }
    }

    /// Evaluates everything after `change` has been applied to the request.
    pub(crate) fn evaluate_within(
        &self,
        limits: &Limits,
        change: impl FnOnce(&mut Request),
    ) -> Evaluated {
        let mut worker = self.start().unwrap();
        let names = Selection::of(RunData::All).names(worker.manifest());
        let mut request = mock_request(names);
        change(&mut request);
        evaluate(&mut worker, &request, limits)
    }
}

/// Limits of a whole evaluation.
pub(crate) fn seconds(seconds: u64) -> Limits {
    Limits::of(Duration::from_secs(seconds))
}

pub(crate) fn mock_request(names: Vec<String>) -> Request {
    Request {
        run: RunId::new(1234, 56),
        data: RunData::All,
        selected: names.clone(),
        names,
        again: Vec::new(),
        given: None,
        hand_over: None,
        lost: Vec::new(),
        workers: 1,
        mock: true,
        params: serde_json::Map::new(),
        opener: None,
    }
}

pub(crate) fn evaluate(worker: &mut Worker, request: &Request, limits: &Limits) -> Evaluated {
    let mut events = Vec::new();
    let end = worker.evaluate(request, limits, &mut |event| events.push(event));
    Evaluated {
        end: end.unwrap(),
        events,
    }
}

/// What was heard of an evaluation in several workers.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) cut_short: Option<CutShort>,
    pub(crate) heard: Evaluated,
}

/// What was heard of an evaluation.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) end: End,
    pub(crate) events: Vec<Event>,
}

impl Evaluated {
    pub(crate) fn broken(&self) -> &Broken {
        match &self.end {
            End::Broken(broken) => broken,
            End::Finished => panic!("it should have broken off"),
        }
    }

    pub(crate) fn outcomes(&self) -> HashMap<&str, &Outcome> {
        let outcomes = self.events.iter().filter_map(|event| match event {
            Event::Outcome { name, outcome, .. } => Some((name.as_str(), outcome)),
            _ => None,
        });
        outcomes.collect()
    }

    pub(crate) fn cell(&self, name: &str) -> &Cell {
        match self.outcomes().get(name) {
            Some(Outcome::Cell(cell)) => cell,
            other => panic!("{name}: {other:?}"),
        }
    }

    pub(crate) fn failure(&self, name: &str) -> &Failure {
        match self.outcomes().get(name) {
            Some(Outcome::Failed(failure)) => failure,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The names that had a turn without leaving a cell.
    pub(crate) fn without_value(&self) -> Vec<&str> {
        let names = self.events.iter().filter_map(|event| match event {
            Event::NoValue { name, .. } => Some(name.as_str()),
            _ => None,
        });
        names.collect()
    }
}
