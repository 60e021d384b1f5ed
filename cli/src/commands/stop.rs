//! What SIGTERM and Ctrl-C do.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use runledger_context::worker::Stop;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

use crate::failure::{Failure, Result};

/// A flag that is raised when this process is asked to end. A second signal ends it at once.
pub(super) fn flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    raise_on(&[SIGTERM, SIGINT], &[SIGTERM, SIGINT], &flag)?;
    Ok(flag)
}

/// A job's wish to end: on SIGTERM, on Ctrl-C, and on SIGUSR1, by which queues warn of a time limit. Handing in what
/// is finished may take a moment, so that only a second Ctrl-C ends it at once.
pub(super) fn of_job() -> Result<Stop> {
    let stop = Stop::default();
    raise_on(&[SIGTERM, SIGINT, SIGUSR1], &[SIGINT], &stop.flag())?;
    Ok(stop)
}

/// Signals cannot be waited for.
pub(super) fn no_signals(error: std::io::Error) -> Failure {
    Failure::new(format!("signals cannot be waited for: {error}"))
}

/// Each of `signals` raises the flag; when it is raised, each of `ending` ends the process.
fn raise_on(signals: &[i32], ending: &[i32], flag: &Arc<AtomicBool>) -> Result {
    // First, so that the signal that raises it does not find it raised.
    for signal in ending {
        let ends = signal_hook::flag::register_conditional_default(*signal, flag.clone());
        ends.map_err(no_signals)?;
    }
    for signal in signals {
        signal_hook::flag::register(*signal, flag.clone()).map_err(no_signals)?;
    }
    Ok(())
}
