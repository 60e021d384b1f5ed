//! What is heard of a worker that evaluates.

use super::Broken;
use crate::value::{Failure, Outcome};

/// What happens during an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// When the run began, in seconds since 1970.
    StartTime(f64),
    /// This variable's function is about to be called.
    Started(String),
    /// This variable has a value, or failed.
    Outcome {
        /// The variable.
        name: String,
        /// What became of it.
        outcome: Outcome,
        /// How long it took.
        seconds: f64,
    },
    /// This variable has had its turn and leaves no cell: it returned None, is transient, lacks a
    /// parameter, or needs data that is not there.
    NoValue {
        /// The variable.
        name: String,
        /// Whether other variables have its object all the same: it is transient.
        held: bool,
        /// Why a transient variable failed.
        failure: Option<Failure>,
    },
}

/// How an evaluation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every variable has had its turn.
    Finished,
    /// Before that.
    Broken(Broken),
}

impl Event {
    /// The end of a variable whose process is gone; what is never stored leaves no cell.
    pub(super) fn lost(name: String, failure: Failure, is_transient: bool) -> Self {
        if is_transient {
            let failure = Some(failure);
            return Self::NoValue {
                name,
                held: false,
                failure,
            };
        }
        Self::Outcome {
            name,
            outcome: Outcome::Failed(failure),
            seconds: 0.0,
        }
    }

    /// The variable that it is about.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::StartTime(_) => None,
            Self::Started(name) | Self::Outcome { name, .. } | Self::NoValue { name, .. } => {
                Some(name)
            }
        }
    }
}
