//! Many notifications at once, and the same run again and again: each is handled once, and none holds others up.

mod facility;

use facility::{
    Facility, LIMIT, RAW, TOPIC, eventually, jobs, locked, run, runs, started, stopped, until,
};
use runledger_context::run::RunData;
use runledger_listener::kafka::{EmbeddedBroker, Producer, ProducerSettings};

const PROC: RunData = RunData::Proc;

fn broker_with(messages: impl IntoIterator<Item = String>) -> EmbeddedBroker {
    let broker = EmbeddedBroker::start(&[TOPIC, "cal.offline-corrections"]).unwrap();
    let producer = Producer::new(&ProducerSettings::to(&broker.address())).unwrap();
    for (token, message) in (0..).zip(messages) {
        producer.send(token, TOPIC, message.as_bytes()).unwrap();
    }
    assert!(producer.flush(LIMIT).is_empty());
    broker
}

fn raw_arrived(proposal: u32, number: u32) -> String {
    format!(r#"{{"event": "migration_complete", "proposal": {proposal}, "run": {number}}}"#)
}

#[test]
fn of_a_backlog_of_ten_thousand_for_two_hundred_proposals_each_one_is_handled_once() {
    const PROPOSALS: u32 = 200;
    const RUNS: u32 = 50;
    let facility = Facility::new();
    let dirs: Vec<_> = (1..=PROPOSALS).map(|p| facility.watched(p)).collect();
    let backlog =
        (1..=RUNS).flat_map(|number| (1..=PROPOSALS).map(move |p| raw_arrived(p, number)));
    let broker = broker_with(backlog);
    let listener = started(&facility, &broker.address());
    let db = facility.db();
    eventually("the whole backlog has come in and is handled", || {
        db.depth().unwrap() == 0 && jobs(dirs.last().unwrap()).len() == RUNS as usize
    });
    stopped(listener);
    for (proposal, dir) in (1..).zip(&dirs) {
        let expected: Vec<_> = (1..=RUNS).map(|number| run(proposal, number)).collect();
        let mut planned: Vec<_> = jobs(dir).iter().map(|job| job.run).collect();
        planned.sort();
        assert_eq!((&runs(dir), &planned), (&expected, &expected));
    }
}

#[test]
fn a_run_whose_calibrated_data_is_announced_first_has_a_job_for_each_part() {
    let facility = Facility::new();
    let dir = facility.watched(1234);
    let mut listener = facility.listener();
    listener.hand_in(run(1234, 7), PROC).unwrap();
    listener.hand_in(run(1234, 7), RAW).unwrap();
    listener.work().unwrap();
    let parts: Vec<_> = jobs(&dir).iter().map(|job| job.data).collect();
    assert_eq!((parts, runs(&dir)), (vec![PROC, RAW], vec![run(1234, 7)]));
}

#[test]
fn the_same_notification_many_times_in_one_burst_makes_one_job() {
    let facility = Facility::new();
    let dir = facility.watched(1234);
    let mut messages = vec![raw_arrived(1234, 7); 20];
    messages.push(raw_arrived(1234, 8));
    let broker = broker_with(messages);
    let listener = started(&facility, &broker.address());
    eventually("the last one has its job", || {
        jobs(&dir).iter().any(|job| job.run == run(1234, 8))
    });
    stopped(listener);
    assert_eq!(facility.db().depth().unwrap(), 0);
    assert_eq!(jobs(&dir).len(), 2);
}

#[test]
fn a_database_that_fails_postpones_only_its_own_part_of_a_burst() {
    let facility = Facility::new();
    let dirs: Vec<_> = (1..=5).map(|p| facility.watched(p)).collect();
    let mut listener = facility.listener();
    for number in 1..=3 {
        for proposal in 1..=5 {
            listener.hand_in(run(proposal, number), RAW).unwrap();
        }
    }
    let blocker = locked(&dirs[2]);
    // A round ends after a while, on a busy machine perhaps before the last one had its turn: that comes in the next.
    until(&mut listener, || facility.db().depth().unwrap() == 3);
    let planned: Vec<_> = dirs.iter().map(|dir| jobs(dir).len()).collect();
    assert_eq!(planned, [3, 3, 0, 3, 3]);
    drop(blocker);
    until(&mut listener, || jobs(&dirs[2]).len() == 3);
    let planned: Vec<_> = dirs.iter().map(|dir| jobs(dir).len()).collect();
    assert_eq!(planned, [3; 5]);
}

/// How many transactions have changed a database: SQLite counts them in the file's header.
fn changes(dir: &std::path::Path) -> u32 {
    let header = std::fs::read(dir.join("runs.sqlite")).unwrap();
    u32::from_be_bytes(header[24..28].try_into().unwrap())
}

#[test]
fn a_burst_of_a_databases_runs_is_one_transaction_in_its_table() {
    let facility = Facility::new();
    let dir = facility.watched(1234);
    let mut listener = facility.listener();
    for number in 1..=50 {
        listener.hand_in(run(1234, number), RAW).unwrap();
    }
    let before = changes(&dir);
    listener.work().unwrap();
    assert_eq!((jobs(&dir).len(), changes(&dir) - before), (50, 1));
}
