//! Fragments become rows and news, whatever stands in the way.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runledger_listener::combiner::{
    ATTENDED, CombinerSettings, combine_folder, merge_run, run_service,
};
use runledger_listener::kafka::{
    Consumer, ConsumerSettings, EmbeddedBroker, Producer, ProducerSettings, Properties, Start,
};
use runledger_listener::updates::{FILE_SUBMISSIONS, Update};
use runledger_storage::Database;
use support::*;

#[test]
fn a_fragment_becomes_a_row_and_the_news_and_goes() {
    let folder = database();
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    let combined = merge_run(
        folder.path(),
        run(7),
        ATTENDED,
        &mut publisher(Some(NOBODY)),
    )
    .unwrap();
    assert_eq!(combined.fragments, std::slice::from_ref(&file));
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
    assert!(!file.exists() && folder.path().join("extracted_data/p1234_r7.h5").is_file());
}

#[test]
fn the_news_outlives_a_combiner_that_ends_before_the_broker_has_it() {
    let folder = database();
    fragment(folder.path(), 7, "a", "energy", 1.5);
    let mut publisher = publisher(Some(NOBODY));
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher).unwrap();
    // As when the process is killed: nothing is closed.
    std::mem::forget(publisher);
    let news = waiting(folder.path());
    assert_eq!(news.len(), 1, "{news:?}");
    assert_eq!(
        news[0]["data"]["values"],
        serde_json::json!({"energy": null})
    );
}

#[test]
fn the_fragment_stays_until_its_news_are_written_down() {
    let folder = database();
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    std::fs::create_dir(folder.path().join("ledger.sqlite")).unwrap();
    let mut publisher = publisher(Some(NOBODY));
    assert!(merge_run(folder.path(), run(7), ATTENDED, &mut publisher).is_err());
    assert!(file.exists());
    std::fs::remove_dir(folder.path().join("ledger.sqlite")).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher).unwrap();
    assert_eq!(waiting(folder.path()).len(), 1);
    assert!(!file.exists());
}

#[test]
fn merging_again_what_was_merged_before_a_crash_changes_nothing() {
    let folder = database();
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    let kept = std::fs::read(&file).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    // Killed before the fragment was removed.
    std::fs::write(&file, kept).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
    assert!(!file.exists());
}

#[test]
fn the_fragment_that_was_written_last_has_the_last_word() {
    let folder = database();
    let newer = fragment(folder.path(), 7, "a", "energy", 2.0);
    let older = fragment(folder.path(), 7, "b", "energy", 1.0);
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    let file = std::fs::File::options().write(true).open(&older).unwrap();
    file.set_modified(hour_ago).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(2.0));
    assert!(!newer.exists() && !older.exists());
}

#[test]
fn a_fragment_that_cannot_be_read_is_set_aside_and_the_others_are_merged() {
    let folder = database();
    fragment(folder.path(), 7, "a", "energy", 1.5);
    let broken = folder.path().join("extracted_data/p1234_r7.b.ready.h5");
    std::fs::write(&broken, "no HDF5").unwrap();
    fragment(folder.path(), 8, "c", "energy", 2.5);
    let combined = combine_folder(folder.path(), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(combined.runs, [run(7), run(8)]);
    assert_eq!(combined.broken.len(), 1);
    assert!(combined.broken[0].0.is_file() && !broken.exists());
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
}

#[test]
fn a_run_whose_file_cannot_be_read_waits_and_the_others_are_merged() {
    let folder = database();
    let waits = fragment(folder.path(), 7, "a", "energy", 1.5);
    fragment(folder.path(), 8, "b", "energy", 2.5);
    let file = folder.path().join("extracted_data/p1234_r7.h5");
    std::fs::write(&file, "no HDF5").unwrap();
    let combined = combine_folder(folder.path(), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(combined.runs, [run(8)]);
    assert_eq!(combined.waiting[0].0, run(7));
    assert!(waits.exists());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "no HDF5");
}

/// A combiner at work in a thread.
struct Service {
    stop: std::sync::Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    fn start(broker: Option<&EmbeddedBroker>, folders: &[&std::path::Path]) -> Self {
        let address = broker.map(EmbeddedBroker::address);
        let settings = CombinerSettings {
            consumer: address.clone().map(submissions),
            publisher: to(address.as_deref()),
            folders: folders.iter().map(|folder| folder.to_path_buf()).collect(),
        };
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let thread = std::thread::spawn(move || run_service(settings, &flag).unwrap());
        Self {
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
