//! Jobs on this machine that cannot start, had started unseen, or died: none is lost or done twice.

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use runledger_listener::dispatch::{Dispatch, DispatchSettings, Queues};
use runledger_listener::job::Job;
use runledger_listener::job_end::{Outcome, Retries, settle};
use runledger_listener::ledger::{Claim, Ending, Handover, Ledger, State};
use runledger_listener::publisher::Publisher;
use runledger_listener::queue::{
    Account, Ended, Fault, GRACE, LocalQueue, LocalSettings, Process, Surroundings, Ticket,
};
use support::*;

/// Dispatches to this machine, with a program that stands for `runledger`: a job is its script, in the database's
/// folder, given `extract …`.
fn dispatch(tools: &Path, script: &str, publisher: Publisher) -> Dispatch {
    let queue = LocalQueue::new(program(tools, script));
    let settings = DispatchSettings {
        retries: SOON,
        ..DispatchSettings::default()
    };
    Dispatch::start(Queues::only(queue), settings, publisher)
}

const SOON: Retries = Retries {
    limit: 2,
    first: Duration::from_millis(20),
    longest: Duration::from_millis(20),
};

fn program(tools: &Path, script: &str) -> LocalSettings {
    let path = tools.join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    LocalSettings {
        program: path,
        config: None,
        limit: 2,
        time_limit: Duration::from_secs(3600),
        grace: GRACE,
    }
}

fn ledger(folder: &Path) -> Ledger {
    Ledger::open(folder).unwrap()
}

fn state(job: &Job) -> State {
    let state = ledger(&job.database_dir).state(&job.processing_id);
    state.unwrap().unwrap()
}

fn until_ended(job: &Job) {
    eventually("the job's end", || state(job).is_final());
}

/// Runs until a file named `go` is there.
const UNTIL_TOLD: &str = "echo $$ >> began; while [ ! -e go ]; do sleep 0.05; done";

fn count(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

fn go(folder: &Path) {
    std::fs::write(folder.join("go"), "").unwrap();
}

#[test]
fn a_job_that_cannot_be_started_waits_and_holds_no_other_one_up() {
    let (stuck, free, tools) = (database(), database(), tempfile::tempdir().unwrap());
    std::fs::write(stuck.path().join("process_logs"), "no folder").unwrap();
    let (waits, runs) = (planned(stuck.path(), 7), planned(free.path(), 8));
    let dispatch = dispatch(tools.path(), "true", publisher(None));
    dispatch.look_at(stuck.path());
    dispatch.look_at(free.path());
    until_ended(&runs);
    eventually("it says why", || {
        let entry = ledger(stuck.path()).job(&waits.processing_id).unwrap();
        entry
            .and_then(|entry| entry.message)
            .is_some_and(|why| why.contains("r7-p1234.out"))
    });
    // However often: that is no fault of the job.
    std::fs::remove_file(stuck.path().join("process_logs")).unwrap();
    until_ended(&waits);
}

#[test]
fn a_job_does_not_bring_back_a_folder_that_is_gone() {
    let (parent, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = parent.path().join("gone");
    std::fs::create_dir(&folder).unwrap();
    planned(&folder, 7);
    let dispatch = dispatch(tools.path(), "true", publisher(None));
    std::fs::remove_dir_all(&folder).unwrap();
    dispatch.look_at(&folder);
    eventually("it was looked at", || dispatch.left() == 0);
    assert!(!folder.exists());
}

#[test]
fn a_log_that_is_a_link_is_not_followed() {
    let (folder, tools) = (database(), tempfile::tempdir().unwrap());
    let job = planned(folder.path(), 7);
    let precious = tools.path().join("precious");
    std::fs::write(&precious, "as it was").unwrap();
    std::fs::create_dir(folder.path().join("process_logs")).unwrap();
    std::os::unix::fs::symlink(&precious, job.log()).unwrap();
    let dispatch = dispatch(tools.path(), "echo more", publisher(None));
    dispatch.look_at(folder.path());
    eventually("it was tried", || {
        !ledger(folder.path())
            .attempts(&job.processing_id)
            .unwrap()
            .is_empty()
    });
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "as it was");
    assert!(!state(&job).is_final());
}

/// What is written down before a queue is given a job: the number of its attempt.
fn taken(job: &Job) -> u32 {
    let handover = Handover {
        queue: "local",
        token: "token".into(),
        cluster: None,
        width: None,
        chain: None,
    };
    let taken = ledger(&job.database_dir)
        .take(&handover, vec![job.clone()])
        .unwrap();
    taken[0].1
}

/// What a listener writes down before it starts a job here; it is killed before it can say more.
fn taken_by_one_that_died(job: &Job) -> u32 {
    let attempt = taken(job);
    rusqlite::Connection::open(job.database_dir.join("ledger.sqlite"))
        .unwrap()
        .execute(
            "UPDATE attempts SET submitter = ?1",
            [format!("{} 1 1", runledger_listener::queue::host_name())],
        )
        .unwrap();
    attempt
}

#[test]
fn a_job_that_had_begun_before_it_was_written_down_is_not_begun_again() {
    let (folder, tools) = (database(), tempfile::tempdir().unwrap());
    let job = planned(folder.path(), 7);
    let attempt = taken_by_one_that_died(&job);
    let settings = program(tools.path(), UNTIL_TOLD);
    let mut child = std::process::Command::new(&settings.program)
        .args(job.arguments(attempt))
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("it has begun", || count(&folder.path().join("began")) == 1);
    let dispatch = dispatch(tools.path(), UNTIL_TOLD, publisher(None));
    dispatch.look_at(folder.path());
    eventually("it is found", || {
        let found = ledger(folder.path())
            .last_attempt(&job.processing_id)
            .unwrap()
            .unwrap();
        found.queue_id == Some(child.id().to_string())
    });
    // It says itself how it went, as a job does.
    ledger(folder.path())
        .end(&job.processing_id, attempt, State::Finished, None, None)
        .unwrap();
    go(folder.path());
    child.wait().unwrap();
    eventually("it is settled", || {
        ledger(folder.path()).open_attempts().unwrap().is_empty()
    });
    assert_eq!(count(&folder.path().join("began")), 1);
}

#[test]
fn a_job_that_was_taken_and_never_begun_is_begun() {
    let (folder, tools) = (database(), tempfile::tempdir().unwrap());
    let job = planned(folder.path(), 7);
    taken_by_one_that_died(&job);
    let dispatch = dispatch(tools.path(), "echo $$ >> began; exit 1", publisher(None));
    dispatch.look_at(folder.path());
    until_ended(&job);
    assert_eq!(count(&folder.path().join("began")), 1);
}

#[test]
fn an_attempt_whose_place_was_taken_does_nothing() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let first = taken_by_one_that_died(&job);
    let (id, here) = (&job.processing_id, Surroundings::default());
    let other = Process {
        started: 1,
        ..Process::this()
    };
    let mut ledger = ledger(folder.path());
    let mut claim = |number| {
        ledger
            .claim(id, Some(number), &Process::this(), &here)
            .unwrap()
    };
    assert_eq!(claim(first), Claim::Granted(first));
    // Once more by the same process changes nothing.
    assert_eq!(claim(first), Claim::Granted(first));
    let again = Ledger::open(folder.path())
        .unwrap()
        .claim(id, Some(first), &other, &here)
        .unwrap();
    assert!(matches!(again, Claim::Refused(why) if why.contains("begun with it already")));
    assert_eq!(claim(2), Claim::Granted(2));
    assert!(matches!(claim(first), Claim::Refused(why) if why.contains("attempt 2")));
    let mut books = Ledger::open(folder.path()).unwrap();
    let ids = [id.clone()];
    let called_off = books.call_off(&ids, Some(State::Cancelled), "cancelled by me");
    assert_eq!(called_off.unwrap()[0].processing_id, *id);
    assert!(matches!(claim(2), Claim::Refused(why) if why.contains("cancelled")));
}

#[test]
fn a_job_that_the_queue_began_anew_may_begin_again() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let attempt = taken_by_one_that_died(&job);
    let in_queue = |restarts| Surroundings {
        queue_id: Some("12".into()),
        cluster: Some("here".into()),
        restarts,
    };
    let earlier = Process {
        host: "elsewhere".into(),
        ..Process::this()
    };
    let id = &job.processing_id;
    let mut ledger = ledger(folder.path());
    let mut claim = |process: &Process, restarts| {
        ledger
            .claim(id, Some(attempt), process, &in_queue(restarts))
            .unwrap()
    };
    claim(&earlier, 0);
    let this = Process::this();
    assert!(matches!(claim(&this, 0), Claim::Refused(_)));
    assert_eq!(claim(&this, 1), Claim::Granted(attempt));
}

#[test]
fn an_attempt_whose_process_is_dead_may_begin_again_whatever_the_queue_counts() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let attempt = taken_by_one_that_died(&job);
    let dead = Process {
        started: 1,
        ..Process::this()
    };
    let mut ledger = ledger(folder.path());
    let mut claim = |process: &Process| {
        let here = Surroundings::default();
        ledger.claim(&job.processing_id, Some(attempt), process, &here)
    };
    assert_eq!(claim(&dead).unwrap(), Claim::Granted(attempt));
    assert_eq!(claim(&Process::this()).unwrap(), Claim::Granted(attempt));
    let other = Process {
        pid: 1,
        ..Process::this()
    };
    assert!(matches!(claim(&other).unwrap(), Claim::Refused(_)));
}

/// A queue has an attempt, which begins or not, and then is not there any more.
fn lost_by_its_queue(job: &Job, has_begun: bool) -> Outcome {
    let (mut ledger, attempt) = (ledger(&job.database_dir), taken(job));
    let ticket = Ticket {
        id: attempt.to_string(),
        cluster: None,
    };
    let id = job.processing_id.clone();
    ledger.placed(&[(id, attempt, ticket)]).unwrap();
    if has_begun {
        let here = Surroundings::default();
        let claim = ledger.claim(&job.processing_id, Some(attempt), &Process::this(), &here);
        assert_eq!(claim.unwrap(), Claim::Granted(attempt));
    }
    let ended = Ended {
        job: job.clone(),
        attempt,
        account: Account {
            ending: Ending::Unseen,
            fault: Fault::Vanished,
            peak_memory: None,
            words: "its process vanished unseen".into(),
        },
    };
    settle(&mut ledger, &ended, &SOON, &mut publisher(None)).unwrap()
}

#[test]
fn what_a_queue_never_begins_is_tried_again_ten_times_as_often_and_costs_no_other_try() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let entry = || {
        ledger(folder.path())
            .job(&job.processing_id)
            .unwrap()
            .unwrap()
    };
    for unbegun in 1..=10 * SOON.limit {
        assert_eq!(lost_by_its_queue(&job, false), Outcome::Again);
        assert_eq!((entry().unbegun, entry().failures), (unbegun, 0));
    }
    for failures in 1..=SOON.limit {
        assert_eq!(lost_by_its_queue(&job, true), Outcome::Again);
        assert_eq!((entry().unbegun, entry().failures), (20, failures));
    }
    assert_eq!(lost_by_its_queue(&job, false), Outcome::Failed);
    let message = entry().message.unwrap();
    assert_eq!(
        message,
        "its process vanished unseen; it was tried 23 times"
    );
    assert_eq!(entry().state, State::Lost);
    assert!(ledger(folder.path()).try_again(&job.processing_id).unwrap());
    assert_eq!((entry().unbegun, entry().failures), (0, 0));
}

#[test]
fn what_has_begun_is_given_up_after_its_few_tries() {
    let folder = database();
    let job = planned(folder.path(), 7);
    for _ in 0..SOON.limit {
        assert_eq!(lost_by_its_queue(&job, true), Outcome::Again);
    }
    assert_eq!(lost_by_its_queue(&job, true), Outcome::Failed);
}

/// The end of a job's first attempt.
fn killed(job: &Job) -> Ended {
    Ended {
        job: job.clone(),
        attempt: 1,
        account: Account {
            ending: Ending::Signal(9),
            fault: Fault::Job,
            peak_memory: Some(1 << 20),
            words: "its process was ended by SIGKILL".into(),
        },
    }
}

fn settled(job: &Job, publisher: &mut Publisher) -> Outcome {
    let mut ledger = ledger(&job.database_dir);
    settle(&mut ledger, &killed(job), &SOON, publisher).unwrap()
}

#[test]
fn what_a_killed_job_had_finished_is_handed_in_and_its_end_is_told() {
    let folder = database();
    let job = planned(folder.path(), 7);
    taken_by_one_that_died(&job);
    drop(half(folder.path(), 7, &job.token(1), "energy", 1.5));
    let mut publisher = publisher(Some(NOBODY));
    assert_eq!(settled(&job, &mut publisher), Outcome::Failed);
    // Once more, as after a crash: nobody knows whether it was told, so it is told again, and nothing else.
    assert_eq!(settled(&job, &mut publisher), Outcome::Failed);
    publisher.close(Duration::from_secs(1));
    let told = waiting(folder.path());
    let kinds: BTreeSet<&str> = told
        .iter()
        .map(|told| told["msg_kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds
            .into_iter()
            .eq(["file_submission", "processing_finished"])
    );
    let name = format!("extracted_data/p1234_r7.{}.ready.h5", job.processing_id);
    assert!(folder.path().join(name).is_file());
    let log = std::fs::read_to_string(job.log()).unwrap();
    assert!(log.contains("SIGKILL") && log.contains("is kept"), "{log}");
    let attempt = ledger(folder.path())
        .last_attempt(&job.processing_id)
        .unwrap()
        .unwrap();
    assert_eq!(
        (attempt.signal, attempt.peak_memory),
        (Some(9), Some(1 << 20))
    );
}

#[test]
fn the_log_says_when_what_a_job_had_finished_cannot_be_read() {
    let folder = database();
    let job = planned(folder.path(), 7);
    taken_by_one_that_died(&job);
    let writing = half(folder.path(), 7, &job.processing_id, "energy", 1.5)
        .path()
        .to_path_buf();
    std::fs::write(&writing, "torn").unwrap();
    assert_eq!(settled(&job, &mut publisher(None)), Outcome::Failed);
    let log = std::fs::read_to_string(job.log()).unwrap();
    assert!(
        log.contains("cannot be read") && !log.contains("is kept"),
        "{log}"
    );
}

#[test]
fn what_a_person_calls_off_stays_so_whatever_its_process_says() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let attempt = taken_by_one_that_died(&job);
    let id = &job.processing_id;
    let mut books = ledger(folder.path());
    assert!(
        books
            .call_off(std::slice::from_ref(id), None, "stopped by me")
            .unwrap()
            .len()
            == 1
    );
    assert!(
        !books
            .end(id, attempt, State::Failed, Some("SIGTERM"), None)
            .unwrap()
    );
    assert_eq!(settled(&job, &mut publisher(None)), Outcome::Elsewhere);
    let entry = books.job(id).unwrap().unwrap();
    assert_eq!((entry.state, entry.held), (State::Planned, true));
    assert_eq!(books.due_count().unwrap(), 0);
    assert!(books.try_again(id).unwrap());
    assert_eq!(books.due_count().unwrap(), 1);
}

#[test]
fn processes_that_begin_at_once_each_get_their_number() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let numbers: Vec<Claim> = std::thread::scope(|scope| {
        let begin = |started| {
            let process = Process {
                host: "here".into(),
                pid: 1,
                started,
            };
            let mut ledger = Ledger::open(folder.path()).unwrap();
            let id = job.processing_id.clone();
            scope.spawn(move || {
                ledger
                    .claim(&id, None, &process, &Surroundings::default())
                    .unwrap()
            })
        };
        let threads: Vec<_> = (1..=16).map(begin).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let number = |claim: &Claim| match claim {
        Claim::Granted(number) => *number,
        Claim::Refused(why) => panic!("{why}"),
    };
    let unique: BTreeSet<u32> = numbers.iter().map(number).collect();
    assert_eq!(unique, (1..=16).collect());
}
