//! Jobs on this machine: as many at once as allowed, none dropped, none lost when the listener ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runledger_context::run::{Proposal, RunData, RunId};
use runledger_listener::job::{Job, Request};
use runledger_listener::job_end::{self, Outcome};
use runledger_listener::kafka::Properties;
use runledger_listener::ledger::{Ending, Ledger, State};
use runledger_listener::publisher::{Publisher, PublisherSettings};
use runledger_listener::queue::{Ended, LocalQueue, LocalSettings, QueueManager};
use runledger_storage::Database;

/// A database's folder, with a program in the place of `runledger` that is this shell script.
struct Site {
    dir: tempfile::TempDir,
    program: PathBuf,
}

impl Site {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Database::create(dir.path(), Proposal(1234)).unwrap();
        Self { dir, program }
    }

    fn queue(&self, limit: usize) -> LocalQueue {
        LocalQueue::new(LocalSettings {
            program: self.program.clone(),
            config: None,
            limit,
        })
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(self.dir.path()).unwrap()
    }

    fn planned(&self, run: u32) -> Job {
        let dir = self.dir.path().to_path_buf();
        let job = Job::new(RunId::new(1234, run), RunData::Raw, dir, Request::default());
        self.ledger().plan(None, &job).unwrap();
        job
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Lets the queue work until `count` jobs have ended.
fn until_ended(queue: &mut LocalQueue, count: usize) -> Vec<Ended> {
    let limit = Instant::now() + Duration::from_secs(60);
    let mut ended = Vec::new();
    while ended.len() < count {
        assert!(
            Instant::now() < limit,
            "only {} jobs have ended",
            ended.len()
        );
        ended.extend(queue.advance());
        std::thread::sleep(Duration::from_millis(10));
    }
    ended
}

fn quiet() -> Publisher {
    Publisher::new(&PublisherSettings {
        broker: None,
        properties: Properties::new(),
    })
    .unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn no_more_than_allowed_run_at_once_and_all_of_them_run_in_order() {
    let site = Site::new("echo + $3 >> order\nsleep 0.2\necho - >> order");
    let mut queue = site.queue(2);
    for run in 1..=6 {
        queue.submit(&site.planned(run)).unwrap();
    }
    assert_eq!(until_ended(&mut queue, 6).len(), 6);
    let order = lines(&site.path("order"));
    let (mut running, mut most) = (0_i32, 0);
    for line in &order {
        running += if line.starts_with('+') { 1 } else { -1 };
        most = most.max(running);
    }
    assert_eq!((order.len(), most), (12, 2), "{order:?}");
    let started: Vec<&str> = order
        .iter()
        .filter_map(|line| line.strip_prefix("+ "))
        .collect();
    assert!(
        started[0] <= started[2] && started[2] <= started[4],
        "{started:?}"
    );
}

#[test]
fn the_same_job_is_taken_once() {
    let site = Site::new("echo once >> count");
    let mut queue = site.queue(1);
    let job = site.planned(1);
    queue.submit(&job).unwrap();
    queue.submit(&job).unwrap();
    until_ended(&mut queue, 1);
    assert_eq!(queue.status().waiting, 0);
    assert_eq!(lines(&site.path("count")).len(), 1);
}

#[test]
fn a_job_works_in_the_databases_folder_and_prints_into_the_runs_log() {
    let site = Site::new("pwd; echo to stderr >&2; echo \"$@\"");
    let mut queue = site.queue(1);
    let job = site.planned(7);
    queue.submit(&job).unwrap();
    until_ended(&mut queue, 1);
    let log = fs::read_to_string(job.log()).unwrap();
    for words in [
        site.dir.path().to_str().unwrap(),
        "to stderr",
        "extract 1234 7 raw --processing-id",
    ] {
        assert!(log.contains(words), "{words} is not in:\n{log}");
    }
}

#[test]
fn what_waits_and_what_runs_is_taken_over_by_the_next_listener() {
    let site = Site::new("echo $3 >> done.$3\nsleep 1");
    let mut first = site.queue(1);
    let jobs: Vec<Job> = (1..=2).map(|run| site.planned(run)).collect();
    jobs.iter().for_each(|job| drop(first.submit(job).unwrap()));
    first.advance();
    // Ends as a killed listener does: its jobs go on.
    drop(first);
    let mut second = site.queue(1);
    second.resume(site.dir.path()).unwrap();
    assert_eq!((second.status().running, second.status().waiting), (1, 1));
    until_ended(&mut second, 2);
    for run in 1..=2 {
        assert_eq!(
            lines(&site.path(&format!("done.{run}"))).len(),
            1,
            "run {run}"
        );
    }
}

#[test]
fn a_job_that_dies_is_written_down_with_the_signal() {
    let site = Site::new("kill -9 $$");
    let mut queue = site.queue(1);
    let job = site.planned(1);
    queue.submit(&job).unwrap();
    let ended = until_ended(&mut queue, 1);
    assert_eq!(ended[0].ending, Ending::Signal(9));
    assert_eq!(
        job_end::settle(&ended[0], &mut quiet()).unwrap(),
        Outcome::Failed
    );
    let entry = site.ledger().jobs().unwrap().remove(0);
    assert_eq!(entry.state, State::Failed);
    assert!(entry.message.unwrap().contains("SIGKILL"));
    assert!(fs::read_to_string(job.log()).unwrap().contains("SIGKILL"));
}

#[test]
fn a_job_that_vanished_unseen_is_tried_again_three_times_at_most() {
    let site = Site::new("true");
    let job = site.planned(1);
    let gone = runledger_listener::queue::Process {
        started: 1,
        ..runledger_listener::queue::Process::here(std::process::id())
    };
    for attempt in 1..=3 {
        site.ledger()
            .begin_attempt(&job.processing_id, &gone)
            .unwrap();
        let mut queue = site.queue(1);
        queue.resume(site.dir.path()).unwrap();
        let ended = queue.advance();
        assert_eq!(ended[0].ending, Ending::Unseen);
        let expected = if attempt < 3 {
            Outcome::Again
        } else {
            Outcome::Failed
        };
        assert_eq!(
            job_end::settle(&ended[0], &mut quiet()).unwrap(),
            expected,
            "attempt {attempt}"
        );
    }
    assert_eq!(
        site.ledger().state(&job.processing_id).unwrap(),
        Some(State::Lost)
    );
}
