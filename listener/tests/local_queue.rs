//! Jobs on this machine: as many at once as allowed, none dropped, none lost when the listener ends.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_listener::dispatch::{Dispatch, DispatchSettings, Dispatcher, Limits, Order, Queues};
use runledger_listener::job::Job;
use runledger_listener::job_end::Retries;
use runledger_listener::ledger::{Entry, Ledger, State};
use runledger_listener::queue::{
    GRACE, LocalQueue, LocalSettings, Process, Surroundings, run_in_foreground,
};
use support::*;

/// More than any job here takes.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(200);

/// A database's folder, with a program in the place of `runledger` that is this shell script.
struct Site {
    dir: tempfile::TempDir,
    program: PathBuf,
}

impl Site {
    /// The script stands for a job that fails: one that ends well without saying so to the ledger has another attempt.
    fn new(script: &str) -> Self {
        let dir = database();
        let program = dir.path().join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\nexit 1\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir, program }
    }

    /// As many as there are, with this time for each.
    fn settings(&self, limit: usize, time_limit: Duration, grace: Duration) -> LocalSettings {
        LocalSettings {
            program: self.program.clone(),
            config: None,
            limit,
            time_limit,
            grace,
        }
    }

    /// What looks after the jobs itself, turn by turn.
    fn by_hand(&self, settings: LocalSettings) -> Dispatcher {
        let queues = Queues::only(LocalQueue::new(settings));
        Dispatcher::new(queues, DispatchSettings::default(), publisher(None))
    }

    /// A job that was submitted, and what looks after it.
    fn begun(&self, settings: LocalSettings) -> (Job, Dispatcher) {
        let (job, dispatcher) = (self.planned(7), self.by_hand(settings));
        dispatcher.turn(self.dir.path(), Vec::new(), true).unwrap();
        (job, dispatcher)
    }

    fn dispatch(&self, limit: usize) -> Dispatch {
        self.dispatch_within(limit, Limits::default())
    }

    fn dispatch_within(&self, limit: usize, limits: Limits) -> Dispatch {
        let queue = LocalQueue::new(self.settings(limit, LONG, GRACE));
        let retries = Retries {
            limit: 2,
            first: Duration::ZERO,
            longest: Duration::ZERO,
        };
        let dispatch = Dispatch::start(
            Queues::only(queue),
            DispatchSettings {
                retries,
                limits,
                ..DispatchSettings::default()
            },
            publisher(None),
        );
        dispatch.look_at(self.dir.path());
        dispatch
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(self.dir.path()).unwrap()
    }

    fn planned(&self, run: u32) -> Job {
        planned(self.dir.path(), run)
    }

    fn jobs(&self) -> Vec<Entry> {
        self.ledger().jobs().unwrap()
    }

    fn until_ended(&self) {
        eventually("all jobs have ended", || {
            self.jobs().iter().all(|entry| entry.state.is_final())
        });
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// How many ran at once, at most.
fn most_at_once(order: &[String]) -> i32 {
    let (mut running, mut most) = (0, 0);
    for line in order {
        running += if line.starts_with('+') { 1 } else { -1 };
        most = most.max(running);
    }
    most
}

const NOTED: &str = "echo + $3 >> order\nsleep 0.2\necho - >> order";

#[test]
fn no_more_than_allowed_run_at_once_and_all_of_them_run_in_order() {
    let site = Site::new(NOTED);
    for run in 1..=6 {
        site.planned(run);
    }
    let _dispatch = site.dispatch(2);
    site.until_ended();
    let order = lines(&site.path("order"));
    assert_eq!((order.len(), most_at_once(&order)), (12, 2), "{order:?}");
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
fn a_databases_own_limit_holds_on_this_machine_too() {
    let site = Site::new(NOTED);
    for run in 1..=3 {
        site.planned(run);
    }
    let one = Limits {
        running: Some(1),
        ..Limits::default()
    };
    let _dispatch = site.dispatch_within(3, one);
    site.until_ended();
    let order = lines(&site.path("order"));
    assert_eq!((order.len(), most_at_once(&order)), (6, 1), "{order:?}");
}

#[test]
fn a_job_that_two_would_start_is_started_once() {
    let site = Site::new("echo once >> count; sleep 0.5");
    for run in 1..=4 {
        site.planned(run);
    }
    let _both = [site.dispatch(4), site.dispatch(4)];
    site.until_ended();
    assert_eq!(lines(&site.path("count")).len(), 4);
}

#[test]
fn a_job_works_in_the_databases_folder_and_prints_into_the_runs_log() {
    let site = Site::new("pwd; echo to stderr >&2; echo \"$@\"");
    let job = site.planned(7);
    let _dispatch = site.dispatch(1);
    site.until_ended();
    let log = fs::read_to_string(job.log()).unwrap();
    for words in [
        site.dir.path().to_str().unwrap(),
        "to stderr",
        "extract 1234 7 raw --processing-id",
        "--attempt 1",
    ] {
        assert!(log.contains(words), "{words} is not in:\n{log}");
    }
}

#[test]
fn what_waits_and_what_runs_is_taken_over_by_the_next_listener() {
    let site = Site::new("echo $3 >> done.$3\nwhile [ ! -e go ]; do sleep 0.05; done");
    let jobs = [1, 2].map(|run| site.planned(run));
    let first = site.dispatch(1);
    eventually("the first one runs", || site.path("done.1").exists());
    // Ends as a killed listener does: its jobs go on.
    drop(first);
    let second = site.dispatch(1);
    eventually("both are known", || second.left() == 2);
    // A job says itself how it went, also to one that did not start it.
    let id = &jobs[0].processing_id;
    assert!(
        site.ledger()
            .end(id, 1, State::Finished, None, None)
            .unwrap()
    );
    fs::write(site.path("go"), "").unwrap();
    site.until_ended();
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
    let job = site.planned(1);
    let _dispatch = site.dispatch(1);
    site.until_ended();
    let entry = site.jobs().remove(0);
    assert_eq!(entry.state, State::Failed);
    assert!(entry.message.unwrap().contains("SIGKILL"));
    assert!(fs::read_to_string(job.log()).unwrap().contains("SIGKILL"));
    eventually("the attempt is settled", || {
        let attempts = site.ledger().attempts(&job.processing_id).unwrap();
        assert_eq!(attempts.len(), 1);
        attempts[0].signal == Some(9) && attempts[0].ended_at.is_some()
    });
}

#[test]
fn a_job_that_vanished_unseen_is_tried_again_a_few_times_and_then_lost() {
    // It begins as a job does, and whoever started it is gone as well.
    let site = Site::new("true");
    let job = site.planned(1);
    let gone = Process {
        started: 1,
        ..Process::this()
    };
    let id = &job.processing_id;
    let mut ledger = site.ledger();
    ledger
        .claim(id, None, &gone, &Surroundings::default())
        .unwrap();
    rusqlite::Connection::open(site.path("ledger.sqlite"))
        .unwrap()
        .execute("UPDATE jobs SET failures = 2", [])
        .unwrap();
    let _dispatch = site.dispatch(1);
    site.until_ended();
    let entry = site.jobs().remove(0);
    assert_eq!((entry.state, entry.failures), (State::Lost, 2));
    let why = entry.message.unwrap();
    assert!(why.contains("vanished") && why.contains("3 times"), "{why}");
}

#[test]
fn after_it_vanished_a_job_has_another_attempt() {
    let site = Site::new("echo \"$@\" >> again");
    let job = site.planned(1);
    let gone = Process {
        started: 1,
        ..Process::this()
    };
    let id = &job.processing_id;
    site.ledger()
        .claim(id, None, &gone, &Surroundings::default())
        .unwrap();
    let _dispatch = site.dispatch(1);
    site.until_ended();
    assert!(lines(&site.path("again"))[0].contains("--attempt 2"));
    let attempts = site.ledger().attempts(id).unwrap();
    assert!(attempts[0].reason.as_ref().unwrap().contains("vanished"));
}

const STOPPED: &str = "trap 'echo >> told; exit 3' TERM; echo $$ > process; kill -STOP $$";

#[test]
fn a_job_that_is_stopped_is_killed_when_its_time_is_over() {
    let site = Site::new("kill -STOP $$");
    let (job, dispatcher) = site.begun(site.settings(1, SHORT, SHORT));
    eventually("its end", || {
        dispatcher.refresh(site.dir.path()).unwrap();
        site.jobs()[0].state == State::Failed
    });
    let why = site.jobs()[0].message.clone().unwrap();
    assert!(
        why.contains("it was stopped") && why.contains("killed"),
        "{why}"
    );
    // Here and now, too.
    let here = planned_elsewhere(&job);
    let settings = site.settings(1, SHORT, SHORT);
    let ended = run_in_foreground(&here, &settings, std::io::sink()).unwrap();
    assert_eq!(ended.account.words, why);
}

/// The same run's next job, which is in no ledger yet.
fn planned_elsewhere(job: &Job) -> Job {
    Job::new(
        job.run,
        job.data,
        job.database_dir.clone(),
        job.request.clone(),
    )
}

#[test]
fn a_job_that_is_stopped_ends_when_it_is_told_to() {
    let site = Site::new(STOPPED);
    let (job, dispatcher) = site.begun(site.settings(1, LONG, LONG));
    eventually("it is stopped", || is_in_state(&site, "T"));
    let ids = [job.processing_id];
    let called_off = dispatcher.call_off(site.dir.path(), &ids, Order::Kill);
    assert_eq!(called_off.unwrap().done, ids);
    eventually("it hears that", || site.path("told").exists());
}

#[test]
fn a_job_that_does_not_hear_is_killed() {
    let site = Site::new("trap '' TERM; echo $$ > process; while :; do sleep 0.05; done");
    let (job, dispatcher) = site.begun(site.settings(1, LONG, SHORT));
    eventually("it runs", || !lines(&site.path("process")).is_empty());
    let ids = [job.processing_id];
    dispatcher
        .call_off(site.dir.path(), &ids, Order::Cancel)
        .unwrap();
    eventually("it is gone", || {
        dispatcher.refresh(site.dir.path()).unwrap();
        site.ledger().open_attempts().unwrap().is_empty()
    });
    assert!(!is_in_state(&site, "RSD"));
}

/// Whether the job's process is in one of these states (proc(5)).
fn is_in_state(site: &Site, states: &str) -> bool {
    let process = lines(&site.path("process")).concat();
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, fields)| fields.chars().next());
    state.is_some_and(|state| states.contains(state))
}

#[test]
fn whoever_asks_hears_of_a_job_that_died_while_nobody_looked() {
    let site = Site::new("true");
    let job = site.planned(7);
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let gone = Process::here(child.id());
    child.wait().unwrap();
    let here = Surroundings::default();
    let claimed = site.ledger().claim(&job.processing_id, None, &gone, &here);
    claimed.unwrap();
    assert_eq!(site.jobs()[0].state, State::Running);
    let dispatcher = site.by_hand(site.settings(1, LONG, LONG));
    dispatcher.refresh(site.dir.path()).unwrap();
    let entry = &site.jobs()[0];
    assert_eq!(entry.state, State::Planned);
    assert_eq!(
        entry.message.as_deref(),
        Some("its process vanished unseen")
    );
}
