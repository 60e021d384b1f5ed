//! Two listeners that were started by mistake on the same databases, from different folders and so in different groups.

mod facility;

use std::fs;
use std::path::PathBuf;

use facility::{
    Facility, LIMIT, TOPIC, eventually, jobs, run, runs, started, started_with, stopped,
};
use runledger_listener::kafka::{EmbeddedBroker, Producer, ProducerSettings};
use runledger_listener::ledger::{Ledger, State};
use runledger_listener::listener_db::ListenerDb;
use runledger_storage::CellValue;

const RUNS: u32 = 6;

fn dynamic(dir: PathBuf) -> ListenerDb {
    fs::create_dir_all(&dir).unwrap();
    let mut db = ListenerDb::open(&dir).unwrap();
    db.set_setting("static_mode", &CellValue::Integer(0))
        .unwrap();
    db
}

#[test]
fn the_second_names_the_first_and_takes_over_what_that_one_leaves_undone_and_nothing_else() {
    let facility = Facility::new();
    let dir = facility.usual(4321);
    let broker = EmbeddedBroker::start(&[TOPIC, "cal.offline-corrections"]).unwrap();
    let second_dir = facility.0.path().join("second");
    let (_first_db, second_db) = (
        dynamic(facility.listener_dir()),
        dynamic(second_dir.clone()),
    );
    let first = started(&facility, &broker.address());
    let producer = Producer::new(&ProducerSettings::to(&broker.address())).unwrap();
    for number in 1..=RUNS {
        let payload =
            format!(r#"{{"event": "migration_complete", "proposal": 4321, "run": {number}}}"#);
        producer
            .send(number.into(), TOPIC, payload.as_bytes())
            .unwrap();
    }
    assert!(producer.flush(LIMIT).is_empty());
    eventually("the first one plans them all", || {
        jobs(&dir).len() == RUNS as usize
    });

    let second = started_with(facility.settings_in(second_dir, &broker.address()));
    let waiting = || second_db.waiting(100).unwrap();
    eventually("the second one waits for the first", || {
        let names_it = |why: &str| why.contains("another listener") && why.contains("/listener");
        let why = |letter: &runledger_listener::listener_db::Letter| letter.last_error.clone();
        waiting().len() == RUNS as usize
            && waiting()
                .iter()
                .all(|letter| why(letter).is_some_and(|why| names_it(&why)))
    });
    let ledger = Ledger::open(&dir).unwrap();
    for job in jobs(&dir).iter().take(2) {
        ledger
            .set_state(&job.processing_id, State::Running, None)
            .unwrap();
    }
    eventually(
        "what the first one has begun is done for the second",
        || waiting().len() == RUNS as usize - 2,
    );
    stopped(first);
    eventually("the second one takes the rest over", || {
        waiting().is_empty()
    });
    stopped(second);
    let all: Vec<_> = (1..=RUNS).map(|number| run(4321, number)).collect();
    let planned: Vec<_> = jobs(&dir).iter().map(|job| job.run).collect();
    assert_eq!((runs(&dir), planned), (all.clone(), all));
}
