//! Who keeps a service running: tells it to stop, hands it new settings, and hears that it goes on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A service's side of whoever started it, asked once a round.
pub trait Keeper<Settings> {
    /// Raised when the service is to stop.
    fn stop(&self) -> &AtomicBool;

    /// New settings, once for each time that there are any.
    fn news(&self) -> Option<Settings> {
        None
    }

    /// The service has come round again: it does not hang. `status` says in a few words what it has to do.
    fn goes_on(&self, _status: &dyn Fn() -> String) {}
}

/// Only tells when to stop.
impl<Settings> Keeper<Settings> for AtomicBool {
    fn stop(&self) -> &AtomicBool {
        self
    }
}

impl<Settings> Keeper<Settings> for Arc<AtomicBool> {
    fn stop(&self) -> &AtomicBool {
        self
    }
}
