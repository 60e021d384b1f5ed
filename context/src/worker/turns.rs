//! Who has had a turn in one worker.

use std::time::Instant;

use super::{Broken, Cause, Event};

/// Who has had a turn.
pub(super) struct Turns {
    running: Option<(String, Instant)>,
    waiting: Vec<String>,
}

impl Turns {
    pub(super) fn new(names: &[String]) -> Self {
        Self {
            running: None,
            waiting: names.to_vec(),
        }
    }

    /// Since when the running variable has been running.
    pub(super) fn started(&self) -> Option<Instant> {
        self.running.as_ref().map(|(_, since)| *since)
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::StartTime(_) => {}
            Event::Started(name) => {
                self.waiting.retain(|waiting| waiting != name);
                self.running = Some((name.clone(), Instant::now()));
            }
            Event::Outcome { name, .. } | Event::NoValue { name, .. } => {
                self.waiting.retain(|waiting| waiting != name);
                self.running = None;
            }
        }
    }

    /// How it stands when the worker breaks off.
    pub(super) fn broken(self, cause: Cause) -> Broken {
        Broken {
            cause,
            running: self.running.map(|(name, _)| name),
            unfinished: self.waiting,
        }
    }
}
