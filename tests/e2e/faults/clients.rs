//! What the clients were told.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use runledger_listener::kafka::{Consumer, ConsumerSettings, Properties, Start};
use runledger_tests::Site;

/// One that hears everything.
pub(crate) struct Clients {
    consumer: Consumer,
    told: RefCell<BTreeSet<u32>>,
}

impl Clients {
    pub(crate) fn of(site: &Site) -> Self {
        let identity = site.text("SELECT value FROM metameta WHERE key='db_id'");
        let consumer = Consumer::new(ConsumerSettings {
            brokers: site.broker_address.clone(),
            topics: vec![format!("test.damnit.db-{}", identity.expect("an identity"))],
            group_id: "clients".into(),
            start: Start::Earliest,
            properties: Properties::new(),
        });
        Self {
            consumer: consumer.expect("a consumer"),
            told: RefCell::default(),
        }
    }

    /// Runs whose new values they have heard of.
    pub(crate) fn told(&self) -> BTreeSet<u32> {
        let more = self.consumer.poll(Duration::from_millis(100), 1000);
        for message in more.expect("messages") {
            let update: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
            if update["msg_kind"] == "run_values_updated" {
                let run = update["data"]["run"].as_u64().expect("a run");
                let run = u32::try_from(run).expect("a run's number");
                self.told.borrow_mut().insert(run);
            }
        }
        self.told.borrow().clone()
    }
}
