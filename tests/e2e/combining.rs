//! The combiner and its processes: one that hangs, is killed, or is left alone costs its own run some time, nothing else.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_context::run::RunId;
use runledger_context::value::{Array, Cell, Data, Dtype, Outcome, Summary};
use runledger_listener::kafka::{Producer, ProducerSettings};
use runledger_listener::updates::{FILE_SUBMISSIONS, Update};
use runledger_storage::fragment::FragmentWriter;
use runledger_storage::run_file;
use runledger_tests::{Service, Site, eventually};

const CONTEXT: &str = "
import time
from damnit_ctx import Variable

@Variable()
def first(run):
    return 1

@Variable()
def second(run, x: 'var#first'):
    open('second-runs', 'w').close()
    time.sleep(600)
";

/// With a combiner, and no job.
fn combining() -> (Site, Service) {
    let site = Site::with_broker();
    // A killed member is soon missed.
    let properties = "[updates.properties]\n\"session.timeout.ms\" = \"6000\"\n[data]\n";
    site.configure("[data]\n", properties);
    site.init(CONTEXT);
    let combiner = site.service(&["combiner", "run"]);
    (site, combiner)
}

fn run(number: u32) -> RunId {
    RunId::new(1234, number)
}

/// A complete fragment of a run, announced.
fn hand_in(site: &Site, number: u32, token: &str, value: f64) -> PathBuf {
    let array = Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: Vec::new(),
        bytes: value.to_le_bytes().to_vec().into(),
    };
    let cell = Cell {
        data: Some(Data::Array(array.clone())),
        summary: Some(Summary::Array(array)),
        ..Cell::default()
    };
    let writer = FragmentWriter::create(&site.db(), run(number), token, "context.py");
    let mut writer = writer.expect("a fragment");
    let saved = writer.save("energy", &Outcome::Cell(Box::new(cell)));
    saved.expect("a value in it");
    let file = writer.finish().expect("its end");
    let producer = Producer::new(&ProducerSettings::to(&site.broker_address)).expect("a producer");
    let update = Update::submission(&site.db(), &file, run(number));
    let sent = producer.send(1, FILE_SUBMISSIONS, &update.payload());
    sent.expect("a message for the broker");
    assert!(producer.flush(Duration::from_secs(20)).is_empty());
    file
}

fn energy(site: &Site, number: u32) -> Option<f64> {
    let sql = "SELECT value FROM run_variables WHERE name = 'energy' AND run";
    site.number(&format!("{sql} = {number}"))
}

/// A process that merges for the combiner; it goes on when the test ends, however that is.
struct Worker(Pid);

impl Worker {
    /// The first one that the combiner has.
    fn of(combiner: &Service) -> Self {
        let tasks = format!("/proc/{}/task", combiner.id());
        let children = || {
            let tasks = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
            let lists = tasks.map(|task| std::fs::read_to_string(task.path().join("children")));
            let all: Vec<String> = lists.map(Result::unwrap_or_default).collect();
            all.concat().split_whitespace().next().map(str::to_owned)
        };
        eventually("a process", || combiner.said(), || children().is_some());
        let pid = children().and_then(|pid| pid.parse().ok());
        Self(Pid::from_raw(pid.expect("a number")))
    }

    fn signal(&self, signal: Signal) {
        kill(self.0, signal).expect("a process of ours");
    }

    fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.0));
        status.is_ok_and(|status| !status.contains(") Z "))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

#[test]
fn a_merge_that_hangs_holds_up_neither_other_runs_nor_the_end_of_the_service() {
    let (site, mut combiner) = combining();
    let busy = run_file::lock(&site.db(), run(1)).expect("the right to merge");
    hand_in(&site, 1, "a", 1.5);
    let worker = Worker::of(&combiner);
    worker.signal(Signal::SIGSTOP);
    drop(busy);
    hand_in(&site, 2, "b", 2.5);
    let said = || combiner.said();
    eventually("the other run's row", said, || {
        energy(&site, 2) == Some(2.5)
    });
    assert_eq!(energy(&site, 1), None);
    assert_eq!(combiner.stop(), Some(0), "{}", combiner.said());
    // Left alone, it does what it was asked for, and ends.
    worker.signal(Signal::SIGCONT);
    eventually("its end", || combiner.said(), || !worker.is_running());
    let combiner = site.service(&["combiner", "run"]);
    let said = || combiner.said();
    eventually("the first run's row", said, || {
        energy(&site, 1) == Some(1.5)
    });
}

#[test]
fn when_the_combiner_is_killed_its_processes_end_and_the_next_one_finishes_its_work() {
    let (site, mut combiner) = combining();
    let busy = run_file::lock(&site.db(), run(1)).expect("the right to merge");
    let file = hand_in(&site, 1, "a", 1.5);
    let worker = Worker::of(&combiner);
    combiner.kill();
    eventually("its end", || combiner.said(), || !worker.is_running());
    assert!(file.exists());
    drop(busy);
    let combiner = site.service(&["combiner", "run"]);
    let said = || combiner.said();
    eventually("the row", said, || energy(&site, 1) == Some(1.5));
}

#[test]
fn a_process_that_is_killed_while_it_merges_is_replaced() {
    let (site, combiner) = combining();
    let busy = run_file::lock(&site.db(), run(1)).expect("the right to merge");
    hand_in(&site, 1, "a", 1.5);
    Worker::of(&combiner).signal(Signal::SIGKILL);
    let said = || combiner.said();
    eventually("it is noticed", said, || {
        combiner.said().contains("ended by signal 9")
    });
    drop(busy);
    eventually("the row", said, || energy(&site, 1) == Some(1.5));
}

/// The fragment that a job is writing.
fn writing(site: &Site) -> Option<PathBuf> {
    let results = std::fs::read_dir(site.db().join("extracted_data")).ok()?;
    let mut paths = results.flatten().map(|entry| entry.path());
    paths.find(|path| path.to_string_lossy().ends_with(".writing.h5"))
}

/// Whether the second variable is being evaluated, and the job waits for it: nothing is being written.
fn is_at_rest(site: &Site) -> bool {
    let look = || std::fs::read(writing(site)?).ok();
    let before = look();
    std::thread::sleep(Duration::from_millis(200));
    site.db().join("second-runs").exists() && before.is_some() && before == look()
}

#[test]
fn what_a_job_had_finished_is_merged_although_nobody_saw_it_killed() {
    let site = Site::quiet();
    site.init(CONTEXT);
    let arguments = ["extract", "1234", "7", "all", "--mock", "--update-vars"];
    let log = site.path("job.log");
    let mut job = Service::start(&mut site.command(&site.db(), &arguments), &log);
    eventually("it rests", || job.said(), || is_at_rest(&site));
    job.kill();
    // Whoever started it has had the time to see to it.
    let writing = writing(&site).expect("a fragment");
    let file = std::fs::File::options().write(true).open(writing);
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let aged = file.and_then(|file| file.set_modified(an_hour_ago));
    aged.expect("a time");
    let done = site.run(&["-vv", "combiner", "now", "."]).succeeded();
    let first = "SELECT value FROM run_variables WHERE name = 'first'";
    assert_eq!(
        site.number(first),
        Some(1.0),
        "{}{}",
        done.stdout,
        done.stderr
    );
    let (class, message) = site.error("second").expect("an error");
    assert_eq!(class, "JobDied");
    assert!(message.contains("vanished"), "{message}");
}
