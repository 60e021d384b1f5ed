//! What SIGTERM and Ctrl-C do.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use runledger_context::worker::Stop;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

use crate::failure::{Failure, Result};

/// A flag that is raised when this process is asked to end. A second signal ends it at once.
pub(super) fn flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        let first_raises = signal_hook::flag::register_conditional_default(signal, flag.clone());
        let raise = signal_hook::flag::register(signal, flag.clone());
        first_raises
            .and(raise)
            .map_err(|e| Failure::new(format!("signals cannot be waited for: {e}")))?;
    }
    Ok(flag)
}

/// A job's wish to end: on SIGTERM, on Ctrl-C, and on SIGUSR1, by which queues warn of a time limit. Handing in what
/// is finished may take a moment, so that only a second Ctrl-C ends it at once.
pub(super) fn of_job() -> Result<Stop> {
    let stop = Stop::default();
    let failure = |e| Failure::new(format!("signals cannot be waited for: {e}"));
    signal_hook::flag::register_conditional_default(SIGINT, stop.flag()).map_err(failure)?;
    for signal in [SIGTERM, SIGINT, SIGUSR1] {
        signal_hook::flag::register(signal, stop.flag()).map_err(failure)?;
    }
    Ok(stop)
}
