//! News that no broker takes as it is: told in parts or given up, and nothing behind it waits or is told twice.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_listener::kafka::{Consumer, ConsumerSettings, EmbeddedBroker, Properties, Start};
use runledger_listener::publisher::{Publisher, PublisherSettings};
use runledger_listener::updates::{Update, VariableSet};
use serde_json::Value;
use support::*;

const TOPIC: &str = "test.damnit.db-x";

/// Its messages may have no more than 70 kB.
fn small(broker: &EmbeddedBroker) -> Publisher {
    let settings = PublisherSettings {
        broker: Some(broker.address()),
        properties: Properties::from([("message.max.bytes".into(), "70000".into())]),
    };
    Publisher::new(&settings).unwrap()
}

/// Everything on the topic, once `is_all` holds of it.
fn heard(broker: &EmbeddedBroker, is_all: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let window = Consumer::new(ConsumerSettings {
        brokers: broker.address(),
        topics: vec![TOPIC.into()],
        group_id: "a-window".into(),
        start: Start::Earliest,
        properties: Properties::from([("session.timeout.ms".into(), "6000".into())]),
    })
    .unwrap();
    let mut heard = Vec::new();
    eventually("the messages", || {
        let messages = window.poll(Duration::from_millis(100), 1000).unwrap();
        heard.extend(
            messages
                .iter()
                .map(|message| serde_json::from_slice(&message.payload).unwrap()),
        );
        is_all(&heard)
    });
    heard
}

fn finished(id: &str) -> Update {
    Update::ProcessingFinished {
        processing_id: id.into(),
    }
}

fn ends(heard: &[Value]) -> Vec<&str> {
    let ids = heard
        .iter()
        .filter_map(|told| told["data"]["processing_id"].as_str());
    ids.collect()
}

fn is_told_of_all(publisher: &mut Publisher, folder: &Path) {
    eventually("nothing waits", || {
        publisher.advance();
        waiting(folder).is_empty()
    });
}

#[test]
fn news_of_very_many_values_is_told_in_parts() {
    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let folder = database();
    // More than 400 kB of names.
    let names: Vec<String> = (0..8000)
        .map(|n| format!("variable_{n:05}_{}", "x".repeat(40)))
        .collect();
    let values = Update::values(RunId::new(PROPOSAL, 1), names.iter().map(String::as_str));
    let mut publisher = small(&broker);
    publisher
        .publish_lasting(folder.path(), TOPIC, &values)
        .unwrap();
    publisher
        .publish_lasting(folder.path(), TOPIC, &finished("behind"))
        .unwrap();
    is_told_of_all(&mut publisher, folder.path());
    let told_names = |heard: &[Value]| -> BTreeSet<String> {
        let values = heard
            .iter()
            .filter_map(|told| told["data"]["values"].as_object());
        values.flat_map(|values| values.keys().cloned()).collect()
    };
    let heard = heard(&broker, |heard| told_names(heard).len() == names.len());
    assert_eq!(ends(&heard), ["behind"]);
    let parts = heard
        .iter()
        .filter(|told| told["msg_kind"] == "run_values_updated");
    assert_eq!(parts.count(), 8);
}

#[test]
fn what_cannot_be_told_in_parts_is_given_up_and_holds_nothing_up() {
    let broker = EmbeddedBroker::start(&[TOPIC]).unwrap();
    let folder = database();
    let variable = Update::VariableSet(VariableSet {
        name: "x".into(),
        title: "X".into(),
        description: Some("A whole paper. ".repeat(10_000)),
        tags: None,
        attributes: None,
        kind: None,
    });
    let mut publisher = small(&broker);
    for update in [&finished("before"), &variable, &finished("behind")] {
        publisher
            .publish_lasting(folder.path(), TOPIC, update)
            .unwrap();
    }
    is_told_of_all(&mut publisher, folder.path());
    publisher.publish(folder.path(), TOPIC, &finished("last"));
    assert_eq!(publisher.close(Duration::from_secs(20)), 0);
    let heard = heard(&broker, |heard| ends(heard).contains(&"last"));
    assert_eq!(ends(&heard), ["before", "behind", "last"]);
    assert_eq!(heard.len(), 3);
}
