//! Who has had a turn in an evaluation, for the case that it breaks off.

use super::{Event, Request};
use crate::manifest::Manifest;

/// Who has had a turn.
pub(super) struct Turns {
    pub(super) running: Option<String>,
    pub(super) waiting: Vec<String>,
}

impl Turns {
    pub(super) fn new(request: &Request, manifest: &Manifest) -> Self {
        let is_stored = |name: &&String| manifest.variable(name).is_none_or(|v| !v.transient);
        Self {
            running: None,
            waiting: request.names.iter().filter(is_stored).cloned().collect(),
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::StartTime(_) => {}
            Event::Started(name) => {
                self.waiting.retain(|waiting| waiting != name);
                self.running = Some(name.clone());
            }
            Event::Outcome { name, .. } | Event::NoValue(name) => {
                self.waiting.retain(|waiting| waiting != name);
                self.running = None;
            }
        }
    }
}
