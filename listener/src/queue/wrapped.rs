//! The wrapper that a listener's settings demand around context files (`sandbox_args`), on its way to the jobs: in their
//! environment, where nobody who can write a database's folder can take it from them, and from which the jobs that
//! follow from them have it, too.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The variable with the wrapper.
pub const WRAPPER_VARIABLE: &str = "RUNLEDGER_SANDBOX_ARGS";

/// A wrapper's words; empty: the jobs' own configuration says whether there is one.
#[derive(Debug, Default)]
pub(super) struct Wrapped(Mutex<String>);

impl Wrapped {
    pub(super) fn set(&self, words: &str) {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.clone_into(&mut given);
    }

    /// Lets a command that is a job, or submits one, know.
    pub(super) fn pass_to(&self, command: &mut Command) {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !words.is_empty() {
            command.env(WRAPPER_VARIABLE, &*words);
        }
    }
}
