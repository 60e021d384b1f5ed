//! From a notification on Kafka to a row in the table and an update to the clients.

use runledger_tests::{Clients, Service, Site, eventually};

const CONTEXT: &str = r#"
import numpy as np
from damnit_ctx import Variable, Cell

@Variable(title="Energy", units="mJ")
def energy(run):
    return 1.5

@Variable(title="Trace", summary="mean")
def trace(run, n: "meta#run_number"):
    return np.arange(10.0) * n

@Variable(title="Corrected", data="proc")
def corrected(run):
    return 7
"#;

fn facility() -> Site {
    Site::with_broker().watching(CONTEXT)
}

fn explain<'a>(site: &'a Site, services: [&'a Service; 2]) -> impl Fn() -> String + 'a {
    move || {
        let said: Vec<String> = services.iter().map(|s| s.said()).collect();
        format!(
            "{}\n--- run's log\n{}",
            said.join("\n---\n"),
            site.run_log(7)
        )
    }
}

const ENERGY: &str = "SELECT value FROM run_variables WHERE name='energy' AND run=7";

#[test]
fn a_notification_becomes_a_row_and_the_clients_are_told_in_order() {
    let site = facility();
    let listener = site.service(&["listen", "."]);
    let combiner = site.service(&["combiner", "run"]);
    site.announce("migration_complete", 7);
    let why = explain(&site, [&listener, &combiner]);
    eventually("the value is in the table", &why, || {
        site.number(ENERGY) == Some(1.5)
    });
    assert_eq!(
        site.number("SELECT value FROM run_variables WHERE name='trace'"),
        Some(31.5)
    );
    assert!(site.number("SELECT added_at FROM run_info WHERE run=7") > Some(1.0e9));
    assert!(site.number("SELECT start_time FROM run_info WHERE run=7") > Some(1.0e9));

    let topic = format!(
        "test.damnit.db-{}",
        site.text("SELECT value FROM metameta WHERE key='db_id'")
            .expect("an identity")
    );
    let heard = site
        .python(
            "follow_updates.py",
            &[
                site.broker_address.as_ref(),
                topic.as_ref(),
                "--until-values".as_ref(),
                "1".as_ref(),
            ],
        )
        .succeeded();
    let messages: Vec<serde_json::Value> = heard
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    let position = |wanted: &dyn Fn(&serde_json::Value) -> bool| {
        let found = messages.iter().position(wanted);
        found.unwrap_or_else(|| panic!("not announced: {messages:#?}"))
    };
    let pending = position(&|m| m["data"]["status"] == "PENDING");
    let variable = position(&|m| m["msg_kind"] == "variable_set" && m["data"]["name"] == "energy");
    let running = position(&|m| m["data"]["status"] == "RUNNING");
    let finished = position(&|m| m["msg_kind"] == "processing_finished");
    let values = position(&|m| m["msg_kind"] == "run_values_updated");
    assert!(
        pending < variable && variable < running && running < finished,
        "{messages:#?}"
    );
    assert_eq!(
        messages[pending]["data"]["processing_id"],
        messages[finished]["data"]["processing_id"]
    );
    assert_eq!(messages[values]["data"]["run"], 7);
    assert!(
        messages[values]["data"]["values"]
            .as_object()
            .expect("names")
            .contains_key("energy")
    );
}

#[test]
fn new_values_are_announced_when_they_are_in_the_table() {
    let site = facility();
    let clients = Clients::of(&site);
    let listener = site.service(&["listen", "."]);
    let combiner = site.service(&["combiner", "run"]);
    site.announce("migration_complete", 7);
    let why = explain(&site, [&listener, &combiner]);
    eventually("new values are announced", &why, || {
        let announced = clients.told().runs.contains(&7);
        // At the instant in which the news is here.
        assert!(!announced || site.number(ENERGY) == Some(1.5));
        announced
    });
}

#[test]
fn the_ledger_remembers_the_job_and_its_process() {
    let site = facility();
    let listener = site.service(&["listen", "."]);
    let combiner = site.service(&["combiner", "run"]);
    for run in 1..=4 {
        site.announce("migration_complete", run);
    }
    let why = explain(&site, [&listener, &combiner]);
    let ended = || -> Option<i64> {
        let ledger = rusqlite::Connection::open(site.db().join("ledger.sqlite")).ok()?;
        let sql = "SELECT count(*) FROM jobs JOIN attempts USING (processing_id)
                   WHERE state = 'finished' AND number = 1 AND exit_code = 0 AND attempts.ended_at IS NOT NULL";
        ledger.query_row(sql, [], |row| row.get(0)).ok()
    };
    eventually("each of the four has one try that succeeded", &why, || {
        ended() == Some(4)
    });
}

#[test]
fn proc_data_brings_the_variables_that_need_it() {
    let site = facility();
    let listener = site.service(&["listen", "."]);
    let combiner = site.service(&["combiner", "run"]);
    let why = explain(&site, [&listener, &combiner]);
    site.announce("migration_complete", 7);
    eventually("raw is evaluated", &why, || site.number(ENERGY).is_some());
    let corrected = "SELECT value FROM run_variables WHERE name='corrected'";
    assert_eq!(site.number(corrected), None);
    site.announce("run_corrections_complete", 7);
    eventually("proc is evaluated", &why, || {
        site.number(corrected) == Some(7.0)
    });
}

#[test]
fn what_comes_while_the_listener_is_down_is_handled_when_it_is_back() {
    let site = facility();
    let combiner = site.service(&["combiner", "run"]);
    let mut listener = site.service(&["listen", "."]);
    let why = |listener: &Service| {
        format!(
            "{}\n{}\n{}",
            listener.said(),
            combiner.said(),
            site.run_log(8)
        )
    };
    site.announce("migration_complete", 7);
    eventually(
        "the first run is evaluated",
        || why(&listener),
        || site.number(ENERGY).is_some(),
    );
    assert_eq!(listener.stop(), Some(0), "{}", listener.said());
    site.announce("migration_complete", 8);
    let listener = site.service(&["listen", "."]);
    eventually(
        "the second run is evaluated",
        || why(&listener),
        || {
            site.number("SELECT value FROM run_variables WHERE name='energy' AND run=8")
                .is_some()
        },
    );
}

#[test]
fn a_listener_that_is_killed_loses_no_run() {
    let site = facility();
    let combiner = site.service(&["combiner", "run"]);
    let mut listener = site.service(&["listen", "."]);
    for run in 1..=6 {
        site.announce("migration_complete", run);
    }
    eventually(
        "some run is under way",
        || listener.said(),
        || site.number("SELECT count(*) FROM run_info") > Some(0.0),
    );
    listener.kill();
    let listener = site.service(&["listen", "."]);
    let all = "SELECT count(*) FROM run_variables WHERE name='energy' AND value=1.5";
    eventually(
        "all six runs are in the table",
        || format!("{}\n{}", listener.said(), combiner.said()),
        || site.number(all) == Some(6.0),
    );
}

#[test]
fn a_message_that_makes_no_sense_is_kept_and_listed_and_the_next_one_is_handled() {
    let site = facility();
    let combiner = site.service(&["combiner", "run"]);
    let listener = site.service(&["listen", "."]);
    for nonsense in [
        "this is not JSON",
        r#"{"event": "migration_complete", "run": 3}"#,
        r#"{"event": "migration_complete", "proposal": 1234, "run": -3}"#,
        r#"{"event": "migration_complete", "proposal": 1234, "run": 1000000000000000000000000000000}"#,
    ] {
        site.notify(nonsense);
    }
    site.announce("migration_complete", 7);
    let why = explain(&site, [&listener, &combiner]);
    eventually("the sound message is handled", &why, || {
        site.number(ENERGY).is_some()
    });
    let list = ["listener", "dead-letters", "--json"];
    let letters =
        runledger_tests::Finished::of(&mut site.command(&site.listener(), &list)).succeeded();
    let letters: serde_json::Value = serde_json::from_str(&letters.stdout).expect("JSON");
    let reasons: Vec<&str> = letters
        .as_array()
        .expect("a list")
        .iter()
        .map(|letter| letter["reason"].as_str().expect("a reason"))
        .collect();
    assert_eq!(reasons.len(), 4, "{letters:#}");
    assert!(reasons[1].contains("proposal"), "{reasons:?}");
}

#[test]
fn results_wait_for_a_broker_that_does_not_answer() {
    let site = facility();
    let unreachable = "127.0.0.1:1";
    let mut extract = site.command(
        &site.db(),
        &["extract", "1234", "7", "all", "--update-vars"],
    );
    runledger_tests::Finished::of(extract.env("AMORE_BROKER", unreachable)).succeeded();
    let ledger = rusqlite::Connection::open(site.db().join("ledger.sqlite")).expect("the ledger");
    let waiting = |topic: &str| -> i64 {
        let sql = "SELECT count(*) FROM outbox WHERE topic LIKE ?1";
        ledger
            .query_row(sql, [topic], |row| row.get(0))
            .expect("the outbox")
    };
    assert_eq!(waiting("test.damnit.file_submissions"), 1);
    assert!(waiting("test.damnit.db-%") > 0);
    // Merged by looking, and what waited goes out with it.
    let db = site.db();
    let now = ["combiner".as_ref(), "now".as_ref(), db.as_os_str()];
    runledger_tests::Finished::of(&mut site.command(&site.listener(), &now)).succeeded();
    assert_eq!(site.number(ENERGY), Some(1.5));
    assert_eq!(waiting("%"), 0);
}

#[test]
fn a_database_that_is_locked_does_not_hold_up_another_proposal() {
    let site = facility();
    let other = site.path("other");
    let init = [
        "init".as_ref(),
        other.as_os_str(),
        "--proposal".as_ref(),
        "77".as_ref(),
    ];
    runledger_tests::Finished::of(&mut site.command(&site.listener(), &init)).succeeded();
    let add = [
        "listener".as_ref(),
        "add".as_ref(),
        "77".as_ref(),
        other.as_os_str(),
    ];
    runledger_tests::Finished::of(&mut site.command(&site.listener(), &add)).succeeded();
    let blocker = rusqlite::Connection::open(other.join("runs.sqlite")).expect("the other table");
    blocker
        .execute_batch("BEGIN EXCLUSIVE")
        .expect("an exclusive lock");
    let combiner = site.service(&["combiner", "run"]);
    let listener = site.service(&["listen", "."]);
    site.notify(r#"{"event": "migration_complete", "proposal": 77, "run": 1}"#);
    site.announce("migration_complete", 7);
    let why = explain(&site, [&listener, &combiner]);
    eventually("the other proposal goes on", &why, || {
        site.number(ENERGY).is_some()
    });
    blocker
        .execute_batch("COMMIT")
        .expect("the lock is given back");
    let other_run = || -> Option<i64> {
        let table = rusqlite::Connection::open(other.join("runs.sqlite")).ok()?;
        table
            .query_row("SELECT run FROM run_info", [], |row| row.get(0))
            .ok()
    };
    eventually("the blocked one follows", &why, || other_run() == Some(1));
}

#[test]
fn in_dynamic_mode_a_proposals_own_database_is_found_and_in_static_mode_it_is_not() {
    let site = facility();
    let usual = site.data_root().join("SPB/202602/p004321/usr/Shared/amore");
    std::fs::create_dir_all(usual.parent().expect("a folder")).expect("the proposal's folders");
    let init = ["init", "4321"];
    runledger_tests::Finished::of(&mut site.command(&site.listener(), &init)).succeeded();
    let runs = || -> Option<i64> {
        let table = rusqlite::Connection::open(usual.join("runs.sqlite")).ok()?;
        table
            .query_row("SELECT count(*) FROM run_info", [], |row| row.get(0))
            .ok()
    };
    let combiner = site.service(&["combiner", "run"]);
    let mut listener = site.service(&["listen", "."]);
    site.notify(r#"{"event": "migration_complete", "proposal": 4321, "run": 1}"#);
    site.announce("migration_complete", 7);
    eventually(
        "the watched database has its run",
        || listener.said(),
        || site.number(ENERGY).is_some(),
    );
    assert_eq!(runs(), Some(0));
    assert_eq!(listener.stop(), Some(0), "{}", listener.said());
    let dynamic = ["listener", "config", "static-mode", "0"];
    runledger_tests::Finished::of(&mut site.command(&site.listener(), &dynamic)).succeeded();
    let listener = site.service(&["listen", "."]);
    site.notify(r#"{"event": "migration_complete", "proposal": 4321, "run": 2}"#);
    eventually(
        "the proposal's own database is found",
        || listener.said(),
        || runs() == Some(1),
    );
    let listed = ["listener", "databases"];
    let listed = runledger_tests::Finished::of(&mut site.command(&site.listener(), &listed));
    assert!(listed.succeeded().stdout.contains("p4321"));
    drop(combiner);
}
