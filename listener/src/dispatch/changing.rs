//! Settings that change while jobs wait and run.

use std::sync::PoisonError;

use super::{DispatchSettings, Dispatcher};

impl Dispatcher {
    /// The settings in force.
    pub(super) fn settings(&self) -> DispatchSettings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with other settings. What runs beyond a smaller limit goes on; what waits for room finds it within a
    /// second where a limit is larger.
    pub fn change(&self, settings: DispatchSettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        self.queues.limit_local(settings.local);
    }
}
