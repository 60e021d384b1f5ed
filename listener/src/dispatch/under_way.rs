//! Which submissions this process is at: another one's turn at the same database must not take them for given up.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

static TOKENS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn tokens() -> MutexGuard<'static, BTreeSet<String>> {
    TOKENS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A submission, until it is dropped.
pub(super) struct UnderWay(String);

impl UnderWay {
    /// The submission with this token begins.
    pub(super) fn begin(token: &str) -> Self {
        tokens().insert(token.to_owned());
        Self(token.to_owned())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        tokens().remove(&self.0);
    }
}

/// Whether this process is at the submission with this token.
pub(super) fn is_under_way(token: &str) -> bool {
    tokens().contains(token)
}
