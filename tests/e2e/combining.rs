//! The combiner and its processes: one that hangs, is killed, or is left alone costs its own run some time, nothing else.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_context::run::RunId;
use runledger_context::value::{Array, Cell, Data, Dtype, Outcome, Summary};
use runledger_listener::kafka::{Producer, ProducerSettings};
use runledger_listener::updates::{FILE_SUBMISSIONS, Update};
use runledger_storage::fragment::{self, FragmentWriter};
use runledger_storage::{CellValue, run_file};
use runledger_tests::{Finished, Service, Site, eventually, limited};

/// A fragment that HDF5 2.2 does not survive copying: a dataset whose layout was damaged, found by `./x fuzz`.
const CRASHING: &[u8] = include_bytes!("../../fuzz/hdf5/copied_layout");

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
    site.init(CONTEXT);
    let combiner = site.service(&["combiner", "run"]);
    (site, combiner)
}

fn run(number: u32) -> RunId {
    RunId::new(1234, number)
}

/// A complete fragment of a run.
fn complete(site: &Site, number: u32, token: &str, value: f64) -> PathBuf {
    with_data(site, number, token, value, 1)
}

/// The same, with this value so many times.
fn with_data(site: &Site, number: u32, token: &str, value: f64, times: usize) -> PathBuf {
    let array = |shape: Vec<usize>, times| Array {
        dtype: Dtype::Plain("<f8".into()),
        shape,
        bytes: value.to_le_bytes().repeat(times).into(),
    };
    let cell = Cell {
        data: Some(Data::Array(array(vec![times], times))),
        summary: Some(Summary::Array(array(Vec::new(), 1))),
        ..Cell::default()
    };
    let writer = FragmentWriter::create(&site.db(), run(number), token, "context.py");
    let mut writer = writer.expect("a fragment");
    let saved = writer.save("energy", &Outcome::Cell(Box::new(cell)));
    saved.expect("a value in it");
    writer.finish().expect("its end")
}

/// The same, announced.
fn hand_in(site: &Site, number: u32, token: &str, value: f64) -> PathBuf {
    let file = complete(site, number, token, value);
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
        let is_there = || !Self::all_of(combiner).is_empty();
        eventually("a process", || combiner.said(), is_there);
        let worker = Self::all_of(combiner).swap_remove(0);
        eventually("its merge", || combiner.said(), || worker.waits_for_a_run());
        worker
    }

    /// Whether it has all that it needs but the right to merge, and nothing that another one might wait for.
    fn waits_for_a_run(&self) -> bool {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.0));
        let files = files.into_iter().flatten().flatten();
        let mut targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.any(|target| target.ends_with(".merging"))
    }

    /// Those that it has now.
    fn all_of(combiner: &Service) -> Vec<Self> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", combiner.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        let lists = tasks.map(|task| std::fs::read_to_string(task.path().join("children")));
        let lists: Vec<String> = lists.map(Result::unwrap_or_default).collect();
        let lists = lists.concat();
        let pids = lists.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.map(|pid| Self(Pid::from_raw(pid))).collect()
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

#[test]
fn a_fragment_that_crashes_its_readers_is_set_aside_and_the_runs_others_are_merged() {
    let (site, combiner) = combining();
    let busy = run_file::lock(&site.db(), run(1)).expect("the right to merge");
    let sound = complete(&site, 1, "sound", 1.5);
    let killer = sound.with_file_name("p1234_r1.killer.ready.h5");
    std::fs::write(&killer, CRASHING).expect("a fragment");
    drop(busy);
    hand_in(&site, 1, "later", 2.5);
    let said = || combiner.said();
    eventually("the row", said, || energy(&site, 1) == Some(2.5));
    assert!(!killer.exists(), "{}", combiner.said());
    let aside = |name: &str| killer.with_file_name(format!("p1234_r1.killer.broken.{name}"));
    assert!(aside("h5").is_file());
    let reason = std::fs::read_to_string(aside("txt")).expect("the reason");
    assert!(reason.contains("crashed while reading it"), "{reason}");
    assert!(site.run_log(1).contains("runledger reprocess 1"));
    // The table names the variable: its summary could be read, though not its data.
    eventually("its cell", said, || site.error("number").is_some());
    let (class, message) = site.error("number").expect("an error");
    assert_eq!(class, "UnreadableResults");
    assert!(message.contains("p1234_r1.killer.broken.h5"), "{message}");
    assert!(run_file::path(&site.db(), run(1)).is_file());
}

/// The combiner's one-time work, where no file may become larger than so many bytes, as on a full disk.
fn combine_with_files_up_to(site: &Site, bytes: u64) -> Finished {
    let inner = site.command(&site.db(), &["combiner", "now", "."]);
    let limits = format!("trap '' XFSZ; ulimit -f {}", bytes / 512);
    Finished::of(&mut limited(&inner, &limits))
}

#[test]
fn a_full_disk_is_no_fault_of_the_fragment_which_waits() {
    let site = Site::quiet();
    site.init(CONTEXT);
    let file = with_data(&site, 1, "a", 1.5, 500_000);
    combine_with_files_up_to(&site, 2_000_000).failed(3, &["not merged", "File too large"]);
    assert!(file.exists());
    assert_eq!(energy(&site, 1), None);
    site.run(&["combiner", "now", "."]).succeeded();
    assert_eq!(energy(&site, 1), Some(1.5));
    assert!(!file.exists());
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
    assert_eq!(self::writing(&site), None);
}

/// How often the combiner is killed; a soak asks for more.
fn rounds() -> u32 {
    let asked = std::env::var("RUNLEDGER_TEST_ROUNDS");
    asked.map_or(12, |rounds| rounds.parse().expect("a number of rounds"))
}

/// A number in a run's file.
fn in_file(site: &Site, number: u32) -> Option<CellValue> {
    // As a fragment, the file tells the same of its variables.
    let summaries = fragment::summaries(&run_file::path(&site.db(), run(number)));
    let rows = summaries.expect("a file that can be read").rows;
    let row = rows.into_iter().find(|(name, _)| name == "energy");
    row.map(|(_, row)| row.value)
}

#[test]
fn whenever_the_combiner_is_killed_nothing_is_lost_and_no_file_is_broken() {
    const RUNS: u32 = 6;
    let (site, _) = combining();
    let db = site.db();
    site.watch_from(&site.listener());
    let rounds = rounds();
    for round in 1..=rounds {
        for number in 1..=RUNS {
            complete(&site, number, &format!("round{round}"), f64::from(round));
        }
        let mut combiner = site.service(&["combiner", "run"]);
        // Each time a little later in its work.
        std::thread::sleep(Duration::from_millis(u64::from(round * 17 % 400)));
        let workers = Worker::all_of(&combiner);
        combiner.kill();
        for worker in workers {
            let _ = kill(worker.0, Signal::SIGKILL);
        }
        for number in 1..=RUNS {
            let place = run_file::path(&db, run(number));
            assert!(!place.is_file() || in_file(&site, number).is_some());
        }
    }
    let combiner = site.service(&["combiner", "run"]);
    let is_done = |number| energy(&site, number) == Some(f64::from(rounds));
    let said = || combiner.said();
    eventually("all rows", said, || (1..=RUNS).all(is_done));
    let left = || {
        let files = std::fs::read_dir(db.join("extracted_data")).expect("the results");
        let names = files.map(|file| file.expect("a file").file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    let is_fragment = |name: &String| name.contains("round");
    eventually(
        "no fragment is left",
        || format!("{:?}", left()),
        || !left().iter().any(is_fragment),
    );
    for number in 1..=RUNS {
        assert_eq!(
            in_file(&site, number),
            Some(CellValue::Real(f64::from(rounds)))
        );
    }
    let ledger = || rusqlite::Connection::open(db.join("ledger.sqlite")).expect("the ledger");
    let waiting = "SELECT count(*) FROM outbox";
    let count = || {
        ledger()
            .query_row(waiting, [], |row| row.get::<_, i64>(0))
            .expect("a number")
    };
    eventually("all is told", said, || count() == 0);
    let told = "SELECT count(DISTINCT run) FROM merged";
    let runs: u32 = ledger()
        .query_row(told, [], |row| row.get(0))
        .expect("a number");
    assert_eq!(runs, RUNS);
}
