//! The combiner as a service: what is announced, what is not, and what stands in the way.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runledger_context::run::Proposal;
use runledger_listener::combiner::{CombinerSettings, run_service};
use runledger_listener::kafka::{
    Consumer, ConsumerSettings, EmbeddedBroker, Producer, ProducerSettings, Properties, Start,
};
use runledger_listener::listener_db::ListenerDb;
use runledger_listener::plan::Site;
use runledger_listener::updates::{FILE_SUBMISSIONS, Update};
use runledger_storage::{Database, run_file};
use support::*;
use tempfile::TempDir;

/// A combiner at work in a thread.
struct Service {
    dir: Rc<TempDir>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    /// In a folder of its own, where the listener watches `folders`.
    fn start(broker: Option<&EmbeddedBroker>, folders: &[&Path]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut db = ListenerDb::open(dir.path()).unwrap();
        for folder in folders {
            let site = Site {
                proposal: Proposal(PROPOSAL),
                database_dir: folder.to_path_buf(),
                official: false,
            };
            db.watch(&site).unwrap();
        }
        Self::start_in(Rc::new(dir), broker)
    }

    fn start_in(dir: Rc<TempDir>, broker: Option<&EmbeddedBroker>) -> Self {
        let address = broker.map(EmbeddedBroker::address);
        let settings = CombinerSettings {
            dir: dir.path().to_path_buf(),
            consumer: address.clone().map(submissions),
            publisher: to(address.as_deref()),
            worker: None,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let thread = std::thread::spawn(move || run_service(settings, &flag).unwrap());
        Self {
            dir,
            stop,
            thread: Some(thread),
        }
    }

    /// How long it took to stop.
    fn stop(&mut self) -> Duration {
        let begin = Instant::now();
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        begin.elapsed()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

fn submissions(brokers: String) -> ConsumerSettings {
    ConsumerSettings {
        brokers,
        topics: vec![FILE_SUBMISSIONS.into()],
        group_id: "xfel-da-damnit-combiner".into(),
        start: Start::Earliest,
        properties: Properties::from([("session.timeout.ms".into(), "6000".into())]),
    }
}

fn announce(broker: &EmbeddedBroker, payload: &[u8]) {
    let producer = Producer::new(&ProducerSettings::to(&broker.address())).unwrap();
    producer.send(1, FILE_SUBMISSIONS, payload).unwrap();
    assert!(producer.flush(Duration::from_secs(20)).is_empty());
}

#[test]
fn a_fragment_that_nobody_announced_is_found() {
    let folder = database();
    fragment(folder.path(), 7, "a", "energy", 1.5);
    let _service = Service::start(None, &[folder.path()]);
    eventually("the row", || value(folder.path(), 7, "energy") == Some(1.5));
}

#[test]
fn an_announced_fragment_that_is_not_there_yet_holds_no_other_one_up() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let (early, late) = (database(), database());
    let soon = late.path().join("extracted_data/p1234_r8.b.ready.h5");
    std::fs::create_dir(late.path().join("extracted_data")).unwrap();
    announce(
        &broker,
        &Update::submission(late.path(), &soon, run(8)).payload(),
    );
    let file = fragment(early.path(), 7, "a", "energy", 1.5);
    announce(
        &broker,
        &Update::submission(early.path(), &file, run(7)).payload(),
    );
    let _service = Service::start(Some(&broker), &[]);
    eventually("the second", || {
        value(early.path(), 7, "energy") == Some(1.5)
    });
    assert_eq!(fragment(late.path(), 8, "b", "energy", 2.5), soon);
    eventually("the first", || value(late.path(), 8, "energy") == Some(2.5));
}

#[test]
fn a_message_that_names_files_elsewhere_changes_nothing_there() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let (watched, elsewhere) = (database(), tempfile::tempdir().unwrap());
    let outside = elsewhere.path().join("p1234_r7.a.ready.h5");
    std::fs::write(&outside, "precious").unwrap();
    announce(
        &broker,
        &Update::submission(watched.path(), &outside, run(7)).payload(),
    );
    announce(
        &broker,
        &Update::submission(elsewhere.path(), &outside, run(7)).payload(),
    );
    announce(&broker, b"nonsense");
    let file = fragment(watched.path(), 8, "b", "energy", 2.5);
    announce(
        &broker,
        &Update::submission(watched.path(), &file, run(8)).payload(),
    );
    let _service = Service::start(Some(&broker), &[]);
    eventually("the sound one", || {
        value(watched.path(), 8, "energy") == Some(2.5)
    });
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

#[test]
fn a_locked_database_holds_up_neither_the_others_nor_the_end() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let (locked, free) = (database(), database());
    let program = rusqlite::Connection::open(locked.path().join("runs.sqlite")).unwrap();
    program.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for number in 1..=9 {
        let file = fragment(locked.path(), number, "a", "energy", 1.5);
        announce(
            &broker,
            &Update::submission(locked.path(), &file, run(number)).payload(),
        );
    }
    let file = fragment(free.path(), 7, "b", "energy", 2.5);
    announce(
        &broker,
        &Update::submission(free.path(), &file, run(7)).payload(),
    );
    let begin = Instant::now();
    let mut service = Service::start(Some(&broker), &[]);
    eventually("the other one's row", || {
        value(free.path(), 7, "energy") == Some(2.5)
    });
    assert!(
        begin.elapsed() < Duration::from_secs(25),
        "{:?}",
        begin.elapsed()
    );
    let took = service.stop();
    assert!(took < Duration::from_secs(6), "{took:?}");
    drop(program);
    let _again = Service::start(Some(&broker), &[]);
    eventually("the locked one's rows", || {
        (1..=9).all(|number| value(locked.path(), number, "energy") == Some(1.5))
    });
}

#[test]
fn the_group_moves_on_only_behind_what_is_merged() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let folder = database();
    let missing = folder.path().join("extracted_data/p1234_r8.b.ready.h5");
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    announce(
        &broker,
        &Update::submission(folder.path(), &file, run(7)).payload(),
    );
    announce(
        &broker,
        &Update::submission(folder.path(), &missing, run(8)).payload(),
    );
    let mut service = Service::start(Some(&broker), &[]);
    eventually("the row", || value(folder.path(), 7, "energy") == Some(1.5));
    service.stop();
    let reader = Consumer::new(submissions(broker.address())).unwrap();
    let mut heard = Vec::new();
    eventually("what is left", || {
        heard.extend(reader.poll(Duration::from_millis(100), 10).unwrap());
        !heard.is_empty()
    });
    assert_eq!(
        heard
            .iter()
            .map(|message| message.offset)
            .collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn the_values_are_in_the_table_when_their_news_arrive() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let folder = database();
    let topic = Database::open(folder.path()).unwrap().update_topic();
    broker.create_topic(&topic).unwrap();
    fragment(folder.path(), 7, "a", "energy", 1.5);
    let _service = Service::start(Some(&broker), &[folder.path()]);
    let settings = ConsumerSettings {
        topics: vec![topic],
        group_id: "a-window".into(),
        ..submissions(broker.address())
    };
    let window = Consumer::new(settings).unwrap();
    let mut heard = Vec::new();
    eventually("the news", || {
        heard.extend(window.poll(Duration::from_millis(100), 10).unwrap());
        !heard.is_empty()
    });
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
    let news: serde_json::Value = serde_json::from_slice(&heard[0].payload).unwrap();
    assert_eq!(news["msg_kind"], "run_values_updated");
    eventually("an empty outbox", || waiting(folder.path()).is_empty());
}

#[test]
fn a_merge_that_takes_long_holds_up_neither_other_runs_nor_the_group() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let folder = database();
    // Somebody else is at the run's file and does not end.
    let slow = run_file::lock(folder.path(), run(1)).unwrap();
    for number in 1..=6 {
        let file = fragment(folder.path(), number, "a", "energy", 1.5);
        let update = Update::submission(folder.path(), &file, run(number));
        announce(&broker, &update.payload());
    }
    let _service = Service::start(Some(&broker), &[]);
    eventually("the other runs' rows", || {
        (2..=6).all(|number| value(folder.path(), number, "energy") == Some(1.5))
    });
    assert_eq!(value(folder.path(), 1, "energy"), None);
    drop(slow);
    eventually("the slow one's row", || {
        value(folder.path(), 1, "energy") == Some(1.5)
    });
}

#[test]
fn a_fragment_that_appears_after_a_restart_is_found_although_nobody_announces_it_again() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let folder = database();
    let file = folder.path().join("extracted_data/p1234_r7.a.ready.h5");
    std::fs::create_dir(folder.path().join("extracted_data")).unwrap();
    announce(
        &broker,
        &Update::submission(folder.path(), &file, run(7)).payload(),
    );
    let mut service = Service::start(Some(&broker), &[]);
    let remembered = service.dir.path().join("combiner-folders.jsonl");
    eventually("it is heard of", || remembered.is_file());
    service.stop();
    let dir = service.dir.clone();
    assert_eq!(fragment(folder.path(), 7, "a", "energy", 1.5), file);
    // The broker has lost all: nothing is announced any more.
    let _again = Service::start_in(dir, None);
    eventually("the row", || value(folder.path(), 7, "energy") == Some(1.5));
}

#[test]
fn two_combiners_of_one_folder_merge_each_fragment_once() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let folder = database();
    for number in 1..=20 {
        fragment(folder.path(), number, "a", "energy", 1.5);
    }
    let topic = Database::open(folder.path()).unwrap().update_topic();
    broker.create_topic(&topic).unwrap();
    let window = Consumer::new(ConsumerSettings {
        topics: vec![topic],
        group_id: "a-window".into(),
        ..submissions(broker.address())
    });
    let window = window.unwrap();
    let _one = Service::start(Some(&broker), &[folder.path()]);
    let _other = Service::start(Some(&broker), &[folder.path()]);
    let all = |number| value(folder.path(), number, "energy") == Some(1.5);
    eventually("the rows", || (1..=20).all(all));
    eventually("an empty outbox", || waiting(folder.path()).is_empty());
    // What has been merged is told each time.
    let (mut heard, mut runs) = (0, BTreeSet::new());
    eventually("news of all", || {
        let news = window.poll(Duration::from_millis(500), 100).unwrap();
        let is_all = runs.len() == 20 && news.is_empty();
        heard += news.len();
        for one in news {
            let one: serde_json::Value = serde_json::from_slice(&one.payload).unwrap();
            runs.insert(one["data"]["run"].as_u64().unwrap());
        }
        is_all
    });
    assert_eq!((heard, runs.len()), (20, 20));
    assert!(
        !folder
            .path()
            .join("extracted_data")
            .read_dir()
            .unwrap()
            .any(|left| {
                let name = left.unwrap().file_name();
                name.to_string_lossy().contains("broken")
            })
    );
}

#[test]
fn a_readers_long_transaction_makes_a_merge_wait_and_loses_nothing() {
    let broker = EmbeddedBroker::start(&[FILE_SUBMISSIONS]).unwrap();
    let (read, free) = (database(), database());
    let reader = rusqlite::Connection::open(read.path().join("runs.sqlite")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = "SELECT count(*) FROM run_variables";
    reader
        .query_row(count, [], |row| row.get::<_, i64>(0))
        .unwrap();
    for (folder, number) in [(&read, 7), (&free, 8)] {
        let file = fragment(folder.path(), number, "a", "energy", 1.5);
        let update = Update::submission(folder.path(), &file, run(number));
        announce(&broker, &update.payload());
    }
    let _service = Service::start(Some(&broker), &[]);
    eventually("the other one's row", || {
        value(free.path(), 8, "energy") == Some(1.5)
    });
    let waits = read.path().join("extracted_data/p1234_r7.a.ready.h5");
    assert!(waits.is_file());
    let rows = reader.query_row(count, [], |row| row.get::<_, i64>(0));
    assert_eq!(rows.unwrap(), 0);
    drop(reader);
    eventually("the row", || value(read.path(), 7, "energy") == Some(1.5));
}
