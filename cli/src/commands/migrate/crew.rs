//! Run files are read and converted by processes of their own: HDF5 does one thing at a time in a process, and one that a broken
//! file takes down costs that file.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::thread;

use clap::ValueEnum;
use runledger_context::run::RunId;
use runledger_storage::migrate::{self, Format, LATEST, Survey};

use super::progress::Progress;
use crate::arguments::{Before, Task};
use crate::failure::{Failure, Result};

/// More would wait for the disk.
const AT_MOST: usize = 8;

/// What is found out about a run's file, or why it cannot be.
type Answer = std::result::Result<Survey, String>;

/// Who works on the run files of one database.
pub(super) struct Crew<'a> {
    /// The database's folder.
    pub(super) dir: &'a Path,
    /// The format that it has.
    pub(super) from: Format,
}

impl Crew<'_> {
    /// Does something with the files of these runs, showing how far it is.
    pub(super) fn each(&self, runs: &[RunId], task: Task) -> Result<BTreeMap<RunId, Answer>> {
        let program = super::super::program()?;
        let progress = Progress::of(runs.len(), task);
        let (left, done) = (Mutex::new(runs.iter()), Mutex::new(BTreeMap::new()));
        let next = || left.lock().ok().and_then(|mut left| left.next().copied());
        let count = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..count.min(AT_MOST).min(runs.len()) {
                scope.spawn(|| {
                    let mut worker = None;
                    while let Some(run) = next() {
                        let answer = self.ask(&mut worker, &program, run, task);
                        if let Ok(mut done) = done.lock() {
                            done.insert(run, answer);
                        }
                        progress.one_more();
                    }
                    worker.map(Worker::end);
                });
            }
        });
        progress.end();
        done.into_inner()
            .map_err(|_| Failure::new("a thread of this program panicked"))
    }

    /// Has a worker do one file; one that dies of it is followed by another.
    fn ask(&self, worker: &mut Option<Worker>, program: &Path, run: RunId, task: Task) -> Answer {
        let mut asked = match worker.take() {
            Some(worker) => worker,
            None => Worker::start(self, program, task)
                .map_err(|error| format!("no process can be started: {error}"))?,
        };
        match asked.ask(run) {
            Some(answer) => {
                *worker = Some(asked);
                answer
            }
            None => {
                let end = asked.end();
                migrate::forget_draft(self.dir, run);
                Err(format!("the process at work on it ended with {end}"))
            }
        }
    }
}

/// A process that does one file after another.
struct Worker {
    child: Child,
    tasks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start(crew: &Crew<'_>, program: &Path, task: Task) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["--quiet", "migrate", "worker"])
            .arg(word(task));
        match crew.from {
            Format::Wide => drop(command.arg("--from").arg(word(Before::Wide))),
            Format::Intermediate => drop(command.arg("--from").arg(word(Before::Intermediate))),
            _ => {}
        }
        let mut child = command
            .current_dir(crew.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(tasks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no channel"));
        };
        Ok(Self {
            child,
            tasks,
            answers: BufReader::new(answers),
        })
    }

    /// None if it ended instead of answering.
    fn ask(&mut self, run: RunId) -> Option<Answer> {
        writeln!(self.tasks, "{}", serde_json::to_string(&run).ok()?).ok()?;
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    fn end(mut self) -> String {
        drop(self.tasks);
        match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

/// What a value is called on the command line.
fn word(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().into())
}

/// Does what is asked for on stdin, a run's number on each line, and answers on stdout.
pub(super) fn work(dir: &Path, task: Task, from: Option<Before>) -> Result {
    let from = match from {
        Some(Before::Wide) => Format::Wide,
        Some(Before::Intermediate) => Format::Intermediate,
        None => Format::Numbered(LATEST),
    };
    let gone = |error: std::io::Error| Failure::new(format!("nobody listens any more: {error}"));
    for line in std::io::stdin().lines() {
        let line = line.map_err(gone)?;
        let run: RunId = serde_json::from_str(&line).map_err(Failure::new)?;
        let answer = match task {
            Task::Survey => migrate::survey_run_file(dir, run, from),
            Task::Convert => migrate::convert_run_file(dir, run, from),
            Task::Check => migrate::check_run_file(dir, run, from),
        };
        let answer: Answer = answer.map_err(|error| error.to_string());
        let answer = serde_json::to_string(&answer).map_err(Failure::new)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .map_err(gone)?;
    }
    Ok(())
}
