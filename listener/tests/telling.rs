//! What is told: in order, at least once, and as DAMNIT would say it.

mod support;

use std::process::Command;
use std::time::Duration;

use runledger_context::run::{RunData, RunId};
use runledger_listener::dispatch::{Dispatch, DispatchSettings, Queues};
use runledger_listener::job::{Job, Request};
use runledger_listener::kafka::{Consumer, ConsumerSettings, EmbeddedBroker, Properties, Start};
use runledger_listener::ledger::{Ledger, State};
use runledger_listener::queue::{Recorder, Surroundings, host_name, user_name};
use runledger_listener::updates::{Update, VariableSet};
use support::*;

const TOPIC: &str = "test.damnit.db-x";

fn finished(id: usize) -> Update {
    Update::ProcessingFinished {
        processing_id: format!("{id:03}"),
    }
}

fn heard(broker: &EmbeddedBroker, number: usize) -> Vec<String> {
    let settings = ConsumerSettings {
        brokers: broker.address(),
        topics: vec![TOPIC.into()],
        group_id: "a-window".into(),
        start: Start::Earliest,
        properties: Properties::from([("session.timeout.ms".into(), "6000".into())]),
    };
    let window = Consumer::new(settings).unwrap();
    let mut heard: Vec<String> = Vec::new();
    eventually("the messages", || {
        for message in window.poll(Duration::from_millis(100), 100).unwrap() {
            let value: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            heard.push(value["data"]["processing_id"].as_str().unwrap().into());
        }
        let told: std::collections::BTreeSet<&String> = heard.iter().collect();
        told.len() >= number
    });
    heard
}

/// Each message where it was heard last: what a window shows in the end.
fn last_words(heard: &[String]) -> Vec<String> {
    let mut last: Vec<String> = Vec::new();
    for word in heard {
        last.retain(|earlier| earlier != word);
        last.push(word.clone());
    }
    last
}

#[test]
fn messages_keep_their_order_when_the_broker_goes_and_comes_back() {
    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let folder = database();
    let mut publisher = publisher(Some(&broker.address()));
    publisher.publish(folder.path(), TOPIC, &finished(0));
    // Delivered, or the first of those that wait: its place is the same.
    broker.set_reachable(false).unwrap();
    publisher.publish(folder.path(), TOPIC, &finished(1));
    // Longer than a message may be under way.
    eventually("the first waits", || {
        publisher.advance();
        !waiting(folder.path()).is_empty()
    });
    publisher.publish(folder.path(), TOPIC, &finished(2));
    broker.set_reachable(true).unwrap();
    publisher.publish(folder.path(), TOPIC, &finished(3));
    eventually("nothing waits", || {
        publisher.advance();
        waiting(folder.path()).is_empty()
    });
    publisher.publish(folder.path(), TOPIC, &finished(4));
    publisher.close(Duration::from_secs(10));
    let heard = heard(&broker, 5);
    assert_eq!(
        last_words(&heard),
        ["000", "001", "002", "003", "004"],
        "{heard:?}"
    );
}

#[test]
fn what_is_more_than_can_be_under_way_waits_on_disk_and_keeps_its_order() {
    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let folder = database();
    let mut publisher = publisher(Some(&broker.address()));
    broker.set_reachable(false).unwrap();
    (0..2500).for_each(|id| publisher.publish(folder.path(), TOPIC, &finished(id)));
    assert_eq!(waiting(folder.path()).len(), 500);
    broker.set_reachable(true).unwrap();
    eventually("nothing waits", || {
        publisher.advance();
        waiting(folder.path()).is_empty()
    });
    publisher.close(Duration::from_secs(10));
    let heard = heard(&broker, 2500);
    let all: Vec<String> = (0..2500).map(|id| format!("{id:03}")).collect();
    assert_eq!(last_words(&heard), all);
}

#[test]
fn whoever_goes_waits_also_for_what_had_to_wait_for_room() {
    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let folder = database();
    let mut publisher = publisher(Some(&broker.address()));
    (0..2500).for_each(|id| publisher.publish(folder.path(), TOPIC, &finished(id)));
    assert_eq!(publisher.close(Duration::from_secs(60)), 0);
    assert!(waiting(folder.path()).is_empty());
    assert_eq!(heard(&broker, 2500).len(), 2500);
}

#[test]
fn a_steady_flow_of_news_does_not_put_off_what_waits() {
    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let folder = database();
    publisher(Some(NOBODY))
        .publish_lasting(folder.path(), TOPIC, &finished(0))
        .unwrap();
    let mut publisher = publisher(Some(&broker.address()));
    broker.set_reachable(false).unwrap();
    publisher.drain(folder.path());
    let mut next = 1;
    let mut tell = |publisher: &mut runledger_listener::publisher::Publisher| {
        publisher.publish(folder.path(), TOPIC, &finished(next));
        publisher.advance();
        next += 1;
        std::thread::sleep(Duration::from_millis(100));
    };
    eventually("more than one waits", || {
        tell(&mut publisher);
        waiting(folder.path()).len() > 1
    });
    broker.set_reachable(true).unwrap();
    eventually("the first is told", || {
        tell(&mut publisher);
        !waiting(folder.path())
            .iter()
            .any(|told| told["data"]["processing_id"] == "000")
    });
}

#[test]
fn what_must_last_is_kept_before_it_is_sent_and_goes_when_it_is_delivered() {
    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let folder = database();
    let mut publisher = publisher(Some(&broker.address()));
    publisher
        .publish_lasting(folder.path(), TOPIC, &finished(1))
        .unwrap();
    assert_eq!(waiting(folder.path()).len(), 1);
    publisher.close(Duration::from_secs(10));
    assert_eq!(waiting(folder.path()).len(), 0);
    assert_eq!(heard(&broker, 1), ["001"]);
}

/// DAMNIT's own message for the same data, as its producer sends it.
const THEIRS: &str = "
import json, sys
from damnit.backend.db import MsgKind, msg_dict
for line in sys.stdin:
    kind, data = json.loads(line)
    print(json.dumps(msg_dict(MsgKind[kind], data)))
";

#[test]
fn messages_are_what_damnits_own_code_makes_of_the_same_data() {
    let Some(python) = std::env::var_os("RUNLEDGER_TEST_PYTHON") else {
        eprintln!("skipped: RUNLEDGER_TEST_PYTHON names no interpreter with damnit");
        return;
    };
    let mut job = Job::new(
        RunId::new(1234, 7),
        RunData::Proc,
        "/db".into(),
        Request::default(),
    );
    job.processing_id = "id".into();
    let variable = VariableSet {
        name: "x".into(),
        title: "X".into(),
        description: Some("ö".into()),
        tags: Some(vec!["a".into()]),
        attributes: None,
        kind: None,
    };
    let state = |status: &str, host: &str, user: &str| {
        serde_json::json!({"processing_id": "id", "proposal": 1234, "run": 7, "data": "proc", "status": status,
            "hostname": host, "username": user, "slurm_cluster": null, "slurm_job_id": ""})
    };
    let (host, user) = (host_name(), user_name());
    let cases = [
        (
            "processing_state_set",
            state("PENDING", "", ""),
            Update::pending(&job, None),
        ),
        (
            "processing_state_set",
            state("RUNNING", &host, &user),
            Update::running(&job, &Surroundings::default()),
        ),
        (
            "processing_finished",
            serde_json::json!({"processing_id": "id"}),
            Update::finished(&job),
        ),
        (
            "run_values_updated",
            serde_json::json!({"proposal": 1234, "run": 7, "values": {"x": null}}),
            Update::values(job.run, ["x"]),
        ),
        (
            "variable_set",
            serde_json::json!({"name": "x", "title": "X", "description": "ö", "attributes": null,
            "type": null, "tags": ["a"]}),
            Update::VariableSet(variable),
        ),
        (
            "file_submission",
            serde_json::json!({"damnit_dir": "/db", "new_file": "/db/f", "proposal": 1234, "run": 7,
            "computed_by": {"hostname": host, "username": user}}),
            Update::submission("/db".as_ref(), "/db/f".as_ref(), job.run),
        ),
    ];
    let asked: Vec<String> = cases
        .iter()
        .map(|(kind, data, _)| serde_json::json!([kind, data]).to_string())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("asked");
    std::fs::write(&input, asked.join("\n")).unwrap();
    let said = Command::new(python)
        .args(["-c", THEIRS])
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.lines().count(), cases.len(), "{said}");
    for (theirs, (_, _, ours)) in said.lines().zip(&cases) {
        let theirs: serde_json::Value = serde_json::from_str(theirs).unwrap();
        let ours: serde_json::Value = serde_json::from_slice(&ours.payload()).unwrap();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn what_the_old_broker_did_not_take_goes_to_the_new_one_when_the_settings_name_another() {
    let folder = database();
    let db = runledger_storage::Database::open(folder.path()).unwrap();
    let broker = EmbeddedBroker::start(&[&db.update_topic()]).unwrap();
    let old = publisher(Some(NOBODY));
    let queues = Queues::only(Recorder::default());
    let dispatch = Dispatch::start(queues, DispatchSettings::default(), old);
    let job = planned(folder.path(), 7);
    dispatch.planned(folder.path(), [job.clone()]);
    eventually("it is pending for clients who cannot hear it", || {
        dispatch.left() == 1
            && Ledger::open(folder.path()).unwrap().jobs().unwrap()[0].state != State::Planned
    });
    let new = publisher(Some(&broker.address()));
    dispatch.publish_with(new, [folder.path()], Duration::from_secs(10));
    let settings = ConsumerSettings {
        brokers: broker.address(),
        topics: vec![db.update_topic()],
        group_id: "a-window".into(),
        start: Start::Earliest,
        properties: Properties::from([("session.timeout.ms".into(), "6000".into())]),
    };
    let window = Consumer::new(settings).unwrap();
    eventually("the window hears of the job", || {
        let heard = window.poll(Duration::from_millis(100), 100).unwrap();
        let is_about_it =
            |payload: &[u8]| String::from_utf8_lossy(payload).contains(&job.processing_id);
        heard.iter().any(|message| is_about_it(&message.payload))
    });
}
