//! From the inbox to the queue: what is handed in leads to its jobs, whatever fails on the way.

mod facility;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use facility::{
    Facility, LIMIT, RAW, TOPIC, eventually, jobs, locked, run, runs, started, stopped, until,
};
use runledger_context::run::RunData;
use runledger_listener::kafka::{EmbeddedBroker, Producer, ProducerSettings};
use runledger_listener::ledger::{Ledger, State};
use runledger_listener::queue::Recorder;
use runledger_storage::{CellValue, Database};

#[test]
fn a_notification_becomes_a_row_and_a_job_in_every_database_of_its_proposal() {
    let facility = Facility::new();
    let (ours, other) = (facility.watched(1234), facility.watched(77));
    let mut listener = facility.listener();
    listener.hand_in(run(1234, 7), RunData::Proc).unwrap();
    listener.work().unwrap();
    assert_eq!((runs(&ours), runs(&other)), (vec![run(1234, 7)], vec![]));
    let planned = jobs(&ours);
    assert_eq!((planned.len(), planned[0].data), (1, RunData::Proc));
    assert!(jobs(&other).is_empty());
}

#[test]
fn what_was_kept_leads_to_its_job_after_a_restart() {
    let facility = Facility::new();
    let dir = facility.watched(1234);
    facility.listener().hand_in(run(1234, 7), RAW).unwrap();
    assert!(runs(&dir).is_empty());
    facility.listener().work().unwrap();
    assert_eq!(jobs(&dir).len(), 1);
}

#[test]
fn the_same_notification_twice_makes_one_job_until_that_one_has_started() {
    let facility = Facility::new();
    let dir = facility.watched(1234);
    let mut listener = facility.listener();
    for _ in 0..3 {
        listener.hand_in(run(1234, 7), RAW).unwrap();
        listener.work().unwrap();
        // Another message, not the same one again.
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(jobs(&dir).len(), 1);
    listener.hand_in(run(1234, 7), RunData::Proc).unwrap();
    listener.work().unwrap();
    assert_eq!(jobs(&dir).len(), 2);
}

#[test]
fn a_queue_that_refuses_gets_the_job_later_and_only_once() {
    let facility = Facility::new();
    let dir = facility.watched(1234);
    let mut refused = facility.listener_with(Recorder::refusing());
    refused.hand_in(run(1234, 7), RAW).unwrap();
    until(&mut refused, || {
        let entry = Ledger::open(&dir).unwrap().jobs().unwrap().pop();
        entry.is_some_and(|entry| entry.failures > 0)
    });
    drop(refused);
    let mut listener = facility.listener();
    until(&mut listener, || {
        let entry = Ledger::open(&dir).unwrap().jobs().unwrap().remove(0);
        entry.state == State::Pending
    });
    assert_eq!(jobs(&dir).len(), 1);
    // One job in the queue, none in the inbox.
    assert_eq!(listener.left().unwrap(), 1);
}

#[test]
fn a_folder_that_is_gone_and_a_newer_database_hold_nobody_up_and_are_not_forgotten() {
    let facility = Facility::new();
    let (gone, newer, sound) = (
        facility.watched(1),
        facility.watched(2),
        facility.watched(3),
    );
    fs::remove_dir_all(&gone).unwrap();
    let mut table = Database::open(&newer).unwrap();
    table
        .set_setting("data_format_version", &CellValue::Integer(99))
        .unwrap();
    drop(table);
    let mut listener = facility.listener();
    for proposal in 1..=3 {
        listener.hand_in(run(proposal, 1), RAW).unwrap();
    }
    listener.work().unwrap();
    assert_eq!(runs(&sound), [run(3, 1)]);
    assert_eq!(facility.db().depth().unwrap(), 2);
    assert!(!gone.exists());
    let reasons = reasons(&facility);
    assert!(reasons[0].contains(gone.to_str().unwrap()), "{reasons:?}");
    assert!(reasons[1].contains("99"), "{reasons:?}");
}

fn reasons(facility: &Facility) -> Vec<String> {
    let db = rusqlite::Connection::open(facility.db().path()).unwrap();
    let mut waiting = db
        .prepare("SELECT last_error FROM inbox WHERE done_at IS NULL ORDER BY id")
        .unwrap();
    let rows = waiting.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn many_runs_of_a_locked_database_cost_the_others_no_more_than_one_does() {
    let facility = Facility::new();
    let (held, free) = (facility.watched(1), facility.watched(2));
    let mut listener = facility.listener();
    let blocker = locked(&held);
    for number in 1..=50 {
        listener.hand_in(run(1, number), RAW).unwrap();
    }
    listener.hand_in(run(2, 1), RAW).unwrap();
    let begun = Instant::now();
    while runs(&free).is_empty() {
        listener.work().unwrap();
        assert!(begun.elapsed() < LIMIT);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    drop(blocker);
    until(&mut listener, || runs(&held).len() == 50);
    assert_eq!(jobs(&held).len(), 50);
}

#[test]
fn a_locked_database_is_gone_on_with_as_soon_as_it_is_free() {
    for file in ["runs.sqlite", "ledger.sqlite"] {
        let facility = Facility::new();
        let dir = facility.watched(1);
        let mut listener = facility.listener();
        drop(Ledger::open(&dir).unwrap());
        let blocker = rusqlite::Connection::open(dir.join(file)).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        listener.hand_in(run(1, 7), RAW).unwrap();
        // The next try would be seconds away.
        until(&mut listener, || {
            facility.db().waiting(Some(1)).unwrap()[0].tries >= 3
        });
        drop(blocker);
        listener.work().unwrap();
        assert_eq!(jobs(&dir).len(), 1, "{file}");
    }
}

#[test]
fn a_data_root_that_is_away_for_a_while_costs_no_run_of_a_database_yet_unknown() {
    let facility = Facility::new();
    let usual = facility.usual(4321);
    let away = facility.0.path().join("not mounted");
    facility
        .db()
        .set_setting("static_mode", &CellValue::Text("0".into()))
        .unwrap();
    fs::rename(facility.root(), &away).unwrap();
    let mut listener = facility.listener();
    listener.hand_in(run(4321, 1), RAW).unwrap();
    listener.work().unwrap();
    fs::rename(&away, facility.root()).unwrap();
    until(&mut listener, || runs(&usual) == [run(4321, 1)]);
    assert_eq!(facility.db().sites().unwrap()[0].database_dir, usual);
}

#[test]
fn a_static_listener_lets_databases_be_that_are_not_on_its_list() {
    let facility = Facility::new();
    let usual = facility.usual(4321);
    let mut listener = facility.listener();
    listener.hand_in(run(4321, 1), RAW).unwrap();
    listener.work().unwrap();
    assert_eq!(
        (runs(&usual), facility.db().sites().unwrap()),
        (vec![], vec![])
    );
    assert_eq!(facility.db().depth().unwrap(), 0);
}

#[test]
fn an_unreadable_message_is_kept_aside_and_can_be_handed_in_again() {
    let facility = Facility::new();
    let dir = facility.watched(1234);
    let broker = EmbeddedBroker::start(&[TOPIC, "cal.offline-corrections"]).unwrap();
    let producer = Producer::new(&ProducerSettings::to(&broker.address())).unwrap();
    let messages = [
        "not JSON",
        r#"{"event": "migration_complete", "proposal": 1234, "run": -1}"#,
        r#"{"event": "coffee_complete"}"#,
        r#"{"event": "migration_complete", "proposal": "1234", "run": 7}"#,
    ];
    for (token, message) in (0..).zip(messages) {
        producer.send(token, TOPIC, message.as_bytes()).unwrap();
    }
    assert!(producer.flush(LIMIT).is_empty());
    let listener = started(&facility, &broker.address());
    eventually("the readable one has its job", || {
        runs(&dir) == [run(1234, 7)]
    });
    let took = stopped(listener);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let mut db = facility.db();
    let dead = db.dead_letters().unwrap();
    let places: Vec<_> = dead
        .iter()
        .map(|letter| (letter.topic.as_str(), letter.offset))
        .collect();
    assert_eq!(places, [(TOPIC, 0), (TOPIC, 1)]);
    // It still cannot be read: it comes back, with its place.
    assert!(db.replay(dead[1].id).unwrap());
    facility.listener().work().unwrap();
    let again = &facility.db().dead_letters().unwrap()[1];
    assert_eq!((again.offset, &again.reason), (1, &dead[1].reason));
}

#[test]
fn a_listener_stops_within_five_seconds_though_no_broker_answers_and_a_database_is_locked() {
    let facility = Facility::new();
    let held = facility.watched(1);
    let mut by_hand = facility.listener();
    for number in 1..=50 {
        by_hand.hand_in(run(1, number), RAW).unwrap();
    }
    drop(by_hand);
    let _blocker = locked(&held);
    let listener = started(&facility, "127.0.0.1:1");
    eventually("it is at work", || {
        let db =
            rusqlite::Connection::open(facility.listener_dir().join("listener.sqlite")).unwrap();
        let tries = "SELECT coalesce(sum(tries), 0) FROM inbox";
        db.query_row(tries, [], |row| row.get::<_, i64>(0)).unwrap() > 0
    });
    let took = stopped(listener);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// What DAMNIT's listener makes of its folder.
const MADE_BY_DAMNIT: &str = "
import sys
from pathlib import Path
from damnit.backend.listener import ListenerDB
with ListenerDB(Path(sys.argv[1])) as db:
    db.add_proposal_db(1234, sys.argv[2], True)
    db.settings['static_mode'] = False
    db.settings['sandbox_args'] = ''
";

const READ_BY_DAMNIT: &str = "
import sys
from pathlib import Path
from damnit.backend.listener import ListenerDB
with ListenerDB(Path(sys.argv[1])) as db:
    assert [str(one.db_dir) for one in db.all_proposals()[1234]] == [sys.argv[2]]
    assert not db.settings['static_mode'] and not db.settings['allow_local_processing']
";

#[test]
fn the_listeners_database_of_damnit_is_gone_on_with_and_damnit_can_go_on_with_ours() {
    let Some(python) = std::env::var_os("RUNLEDGER_TEST_PYTHON") else {
        eprintln!("skipped: RUNLEDGER_TEST_PYTHON names no interpreter with damnit");
        return;
    };
    let facility = Facility::new();
    let dir = facility.usual(1234);
    let ask = |code: &str| {
        let mut damnit = Command::new(&python);
        let asked = damnit
            .args(["-c", code])
            .arg(facility.listener_dir())
            .arg(&dir)
            .output();
        let asked = asked.unwrap();
        assert!(
            asked.status.success(),
            "{}",
            String::from_utf8_lossy(&asked.stderr)
        );
    };
    ask(MADE_BY_DAMNIT);
    let db = facility.db();
    assert!(!db.is_static().unwrap());
    let sites = db.sites().unwrap();
    assert_eq!(
        (sites.len(), &sites[0].database_dir, sites[0].official),
        (1, &dir, true)
    );
    let mut listener = facility.listener();
    listener.hand_in(run(1234, 7), RAW).unwrap();
    listener.work().unwrap();
    assert_eq!(runs(&dir), [run(1234, 7)]);
    ask(READ_BY_DAMNIT);
}
