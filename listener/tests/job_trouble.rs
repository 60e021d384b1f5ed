//! Jobs on this machine that cannot start, had started unseen, or died: none is lost or done twice.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runledger_listener::job_end::{Outcome, settle};
use runledger_listener::ledger::{Ending, Ledger, State};
use runledger_listener::queue::{
    Ended, JobState, LocalQueue, LocalSettings, Process, QueueManager, Ticket,
};
use support::*;

/// A program that stands for `runledger`: a job is its script, in the database's folder, given `extract …`.
fn program(folder: &Path, script: &str) -> LocalSettings {
    let path = folder.join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    LocalSettings {
        program: path,
        config: None,
        limit: 2,
    }
}

/// Runs until a file named `go` is there.
const UNTIL_TOLD: &str = "echo $$ >> began; while [ ! -e go ]; do sleep 0.05; done";

fn count(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

fn until_ended(queue: &mut LocalQueue, number: usize) -> Vec<Ended> {
    let mut ended = Vec::new();
    eventually("the jobs' end", || {
        ended.extend(queue.advance());
        ended.len() >= number
    });
    ended
}

fn go(folder: &Path) {
    std::fs::write(folder.join("go"), "").unwrap();
}

#[test]
fn a_job_that_cannot_be_started_waits_and_holds_no_other_one_up() {
    let (stuck, free, tools) = (database(), database(), tempfile::tempdir().unwrap());
    std::fs::write(stuck.path().join("process_logs"), "no folder").unwrap();
    let mut queue = LocalQueue::new(program(tools.path(), "true"));
    let waits = planned(stuck.path(), 7);
    queue.submit(&waits).unwrap();
    queue.submit(&planned(free.path(), 8)).unwrap();
    let ended = until_ended(&mut queue, 1);
    assert_eq!(ended[0].job.run, run(8));
    let states = queue.states(&[Ticket(waits.processing_id)]).unwrap();
    assert_eq!(states, [JobState::Waiting]);
}

#[test]
fn a_job_does_not_bring_back_a_folder_that_is_gone() {
    let (parent, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = parent.path().join("gone");
    std::fs::create_dir(&folder).unwrap();
    let mut queue = LocalQueue::new(program(tools.path(), "true"));
    queue.submit(&planned(&folder, 7)).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    queue.advance();
    assert!(!folder.exists());
    assert_eq!(queue.status().waiting, 1);
}

#[test]
fn a_log_that_is_a_link_is_not_followed() {
    let (folder, tools) = (database(), tempfile::tempdir().unwrap());
    let job = planned(folder.path(), 7);
    let precious = tools.path().join("precious");
    std::fs::write(&precious, "as it was").unwrap();
    std::fs::create_dir(folder.path().join("process_logs")).unwrap();
    std::os::unix::fs::symlink(&precious, job.log()).unwrap();
    let mut queue = LocalQueue::new(program(tools.path(), "echo more"));
    queue.submit(&job).unwrap();
    queue.advance();
    assert_eq!(queue.status().waiting, 1);
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "as it was");
}

#[test]
fn a_job_that_had_begun_before_it_was_written_down_is_not_begun_again() {
    let (folder, tools) = (database(), tempfile::tempdir().unwrap());
    let settings = program(tools.path(), UNTIL_TOLD);
    let job = planned(folder.path(), 7);
    let mut ledger = Ledger::open(folder.path()).unwrap();
    let earlier = Process {
        started: 1,
        ..Process::here(1)
    };
    ledger.begin_attempt(&job.processing_id, &earlier).unwrap();
    // That one vanished; the job was tried again and says itself that it runs, then the listener was killed.
    ledger
        .set_state(&job.processing_id, State::Running, None)
        .unwrap();
    let mut child = std::process::Command::new(&settings.program)
        .args(job.arguments())
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("it has begun", || count(&folder.path().join("began")) == 1);
    let mut queue = LocalQueue::new(settings);
    queue.resume(folder.path()).unwrap();
    queue.advance();
    assert_eq!((queue.status().waiting, queue.status().running), (0, 1));
    let attempt = ledger.last_attempt(&job.processing_id).unwrap().unwrap();
    assert_eq!(attempt.process, Process::here(child.id()));
    go(folder.path());
    child.wait().unwrap();
    until_ended(&mut queue, 1);
    assert_eq!(count(&folder.path().join("began")), 1);
}

#[test]
fn what_a_killed_job_had_finished_is_handed_in_and_its_end_is_told() {
    let (folder, tools) = (database(), tempfile::tempdir().unwrap());
    let job = planned(folder.path(), 7);
    drop(half(folder.path(), 7, &job.processing_id, "energy", 1.5));
    let mut queue = LocalQueue::new(program(tools.path(), "kill -9 $$"));
    queue.submit(&job).unwrap();
    let ended = until_ended(&mut queue, 1);
    assert_eq!(ended[0].ending, Ending::Signal(9));
    let mut publisher = publisher(Some(NOBODY));
    assert_eq!(settle(&ended[0], &mut publisher).unwrap(), Outcome::Failed);
    // Once more, as after a crash: nothing is told twice.
    assert_eq!(settle(&ended[0], &mut publisher).unwrap(), Outcome::Failed);
    publisher.close(std::time::Duration::from_secs(1));
    let told = waiting(folder.path());
    let kinds: Vec<&str> = told
        .iter()
        .map(|told| told["msg_kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["file_submission", "processing_finished"]);
    let name = format!("extracted_data/p1234_r7.{}.ready.h5", job.processing_id);
    assert!(folder.path().join(name).is_file());
    let log = std::fs::read_to_string(job.log()).unwrap();
    assert!(log.contains("SIGKILL") && log.contains("is kept"), "{log}");
}

#[test]
fn the_log_says_when_what_a_job_had_finished_cannot_be_read() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let writing = half(folder.path(), 7, &job.processing_id, "energy", 1.5)
        .path()
        .to_path_buf();
    std::fs::write(&writing, "torn").unwrap();
    let ended = Ended {
        job: job.clone(),
        ending: Ending::Signal(9),
    };
    assert_eq!(
        settle(&ended, &mut publisher(None)).unwrap(),
        Outcome::Failed
    );
    let log = std::fs::read_to_string(job.log()).unwrap();
    assert!(
        log.contains("cannot be read") && !log.contains("is kept"),
        "{log}"
    );
}

#[test]
fn two_processes_that_begin_at_once_both_get_their_number() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let numbers: Vec<u32> = std::thread::scope(|scope| {
        let begin = |started| {
            let process = Process {
                host: "here".into(),
                pid: 1,
                started,
            };
            let mut ledger = Ledger::open(folder.path()).unwrap();
            let id = job.processing_id.clone();
            scope.spawn(move || ledger.begin_attempt(&id, &process).unwrap())
        };
        let threads: Vec<_> = (1..=16).map(begin).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let unique: std::collections::BTreeSet<u32> = numbers.into_iter().collect();
    assert_eq!(unique, (1..=16).collect());
}
