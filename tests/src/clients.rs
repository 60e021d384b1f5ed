//! What the programs that show a site's table are told.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use runledger_listener::kafka::{Consumer, ConsumerSettings, Properties, Start};
use serde_json::Value;

use crate::Site;

/// One that hears everything, also what was said before it came.
pub struct Clients {
    consumer: Consumer,
    told: RefCell<Told>,
}

/// What it has heard.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Runs that have new values.
    pub runs: BTreeSet<u32>,
    /// Jobs that have ended, by their identities.
    pub ended: BTreeSet<String>,
}

impl Clients {
    /// Of the site's database.
    ///
    /// # Panics
    /// The database has no identity, or the broker's address is none.
    pub fn of(site: &Site) -> Self {
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

    /// All that it was told up to now.
    ///
    /// # Panics
    /// It was told what is no update.
    pub fn told(&self) -> Told {
        let more = self.consumer.poll(Duration::from_millis(50), 1000);
        let mut told = self.told.borrow_mut();
        for message in more.expect("messages") {
            told.hear(&serde_json::from_slice(&message.payload).expect("JSON"));
        }
        told.clone()
    }
}

impl Told {
    fn hear(&mut self, update: &Value) {
        let data = &update["data"];
        match update["msg_kind"].as_str() {
            Some("run_values_updated") => {
                let run = data["run"].as_u64().expect("a run");
                self.runs
                    .insert(u32::try_from(run).expect("a run's number"));
            }
            Some("processing_finished") => {
                let id = data["processing_id"].as_str().expect("a job");
                self.ended.insert(id.to_owned());
            }
            _ => {}
        }
    }
}
