//! Two listeners that were started by mistake on the same databases, from different folders and so in different groups:
//! both hear everything, and each run is processed once.

mod facility;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use facility::{
    Facility, LIMIT, TOPIC, dispatch_to, eventually, jobs, run, runs, started_to, stopped,
};
use runledger_listener::kafka::{EmbeddedBroker, Producer, ProducerSettings};
use runledger_listener::ledger::{Ledger, State};
use runledger_listener::listener_db::ListenerDb;
use runledger_listener::queue::Recorder;
use runledger_storage::CellValue;

const RUNS: u32 = 40;
const PROPOSAL: u32 = 4321;

/// Makes a dynamic listener's database in its folder.
fn dynamic(dir: &Path) -> PathBuf {
    fs::create_dir_all(dir).unwrap();
    let mut db = ListenerDb::open(dir).unwrap();
    db.set_setting("static_mode", &CellValue::Integer(0))
        .unwrap();
    db.path().to_path_buf()
}

struct Two {
    facility: Facility,
    dir: PathBuf,
    broker: EmbeddedBroker,
    producer: Producer,
    folders: [PathBuf; 2],
}

impl Two {
    fn new() -> Self {
        let facility = Facility::new();
        let broker = EmbeddedBroker::start(&[TOPIC, "cal.offline-corrections"]).unwrap();
        let second = facility.0.path().join("second");
        Self {
            dir: facility.usual(PROPOSAL),
            producer: Producer::new(&ProducerSettings::to(&broker.address())).unwrap(),
            folders: [facility.listener_dir(), second],
            facility,
            broker,
        }
    }

    fn announce(&self, numbers: impl Iterator<Item = u32>) {
        for number in numbers {
            let payload = format!(
                r#"{{"event": "migration_complete", "proposal": {PROPOSAL}, "run": {number}}}"#
            );
            let (token, payload) = (number.into(), payload.as_bytes());
            self.producer.send(token, TOPIC, payload).unwrap();
        }
        assert!(self.producer.flush(LIMIT).is_empty());
    }

    /// The first or the second listener, with a queue that only writes down.
    fn start(&self, which: usize) -> Listening {
        let folder = &self.folders[which];
        let (inbox, queue) = (dynamic(folder), Arc::new(Recorder::default()));
        let address = self.broker.address();
        let settings = self.facility.settings_in(folder.clone(), &address);
        let thread = started_to(settings, dispatch_to(queue.clone()));
        Listening {
            inbox,
            queue,
            thread,
        }
    }

    fn planned(&self) -> usize {
        jobs(&self.dir).len()
    }
}

struct Listening {
    inbox: PathBuf,
    queue: Arc<Recorder>,
    thread: (
        Arc<std::sync::atomic::AtomicBool>,
        std::thread::JoinHandle<()>,
    ),
}

impl Listening {
    fn submitted(&self) -> usize {
        let batches = self.queue.batches();
        batches.iter().map(|batch| batch.jobs.len()).sum()
    }

    /// Whether all that it heard is handled, and it heard so much.
    fn is_done_with(&self, messages: usize) -> bool {
        let sql = "SELECT count(*) FROM inbox WHERE done_at IS NOT NULL";
        let table = rusqlite::Connection::open(&self.inbox).unwrap();
        let handled: u32 = table.query_row(sql, [], |row| row.get(0)).unwrap();
        handled as usize == messages
    }
}

#[test]
fn each_run_is_planned_once_and_submitted_once() {
    let two = Two::new();
    let (first, second) = (two.start(0), two.start(1));
    two.announce(1..=RUNS);
    let all = RUNS as usize;
    eventually("both are done with all of them", || {
        first.is_done_with(all) && second.is_done_with(all)
    });
    eventually("all are submitted", || {
        first.submitted() + second.submitted() >= all
    });
    assert_eq!((two.planned(), runs(&two.dir).len()), (all, all));
    stopped(first.thread);
    stopped(second.thread);
    let twice = first.queue.batches();
    let submitted = twice.iter().chain(&second.queue.batches()).fold(
        Vec::new(),
        |mut runs: Vec<u32>, batch| {
            runs.extend(batch.jobs.iter().map(|(job, _)| job.run.number.0));
            runs
        },
    );
    let mut sorted = submitted.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=RUNS).collect::<Vec<_>>());
}

#[test]
fn a_listener_that_comes_later_finds_nothing_left_to_do_not_even_of_what_was_gathered() {
    let two = Two::new();
    let first = two.start(0);
    two.announce([1, 2].into_iter());
    eventually("both have their jobs", || first.submitted() == 2);
    // The job of run 1 has not begun: it will see what this one tells of.
    two.announce([1].into_iter());
    eventually("three are handled", || first.is_done_with(3));
    let ledger = Ledger::open(&two.dir).unwrap();
    for job in jobs(&two.dir) {
        ledger
            .set_state(&job.processing_id, State::Running, None)
            .unwrap();
    }
    stopped(first.thread);
    let second = two.start(1);
    eventually("the second is done with all three", || {
        second.is_done_with(3)
    });
    two.announce([3].into_iter());
    eventually("what comes after is its", || second.submitted() == 1);
    stopped(second.thread);
    let planned: Vec<_> = jobs(&two.dir).iter().map(|job| job.run).collect();
    assert_eq!(planned, [1, 2, 3].map(|number| run(PROPOSAL, number)));
}
