//! The flag that SIGTERM and Ctrl-C raise.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

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
