//! What an evaluation may take, and who may end it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Cause;

/// The bounds of an evaluation.
#[derive(Debug, Clone)]
pub struct Limits {
    began: Instant,
    /// Everything together may take this long.
    pub total: Option<Duration>,
    /// One variable may take this long.
    pub variable: Option<Duration>,
    /// Raised by whoever wants the evaluation to end now: a signal.
    pub stop: Stop,
}

/// A wish to end, seen within a quarter of a second.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the end.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked for the end.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Limits {
    /// No bounds; time counts from now.
    pub fn none() -> Self {
        Self {
            began: Instant::now(),
            total: None,
            variable: None,
            stop: Stop::default(),
        }
    }

    /// Only the whole has a bound, from now.
    pub fn of(total: Duration) -> Self {
        Self {
            total: Some(total),
            ..Self::none()
        }
    }

    /// When everything ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.total.map(|total| self.began + total)
    }

    /// Whether the time for everything has run out.
    pub(super) fn is_over(&self) -> bool {
        self.deadline().is_some_and(|all| Instant::now() >= all)
    }

    /// Which bound has been reached.
    pub(super) fn cause(&self) -> Cause {
        match (self.variable, self.total) {
            (Some(limit), _) if !self.is_over() => Cause::VariableTimeLimit(limit),
            (_, total) => Cause::JobTimeLimit(total.unwrap_or_default()),
        }
    }

    /// The bound that comes first when a variable has been running since `started`.
    pub(super) fn next(&self, started: Option<Instant>) -> Option<Instant> {
        let variable = started.zip(self.variable).map(|(from, limit)| from + limit);
        match (self.deadline(), variable) {
            (Some(all), Some(one)) => Some(all.min(one)),
            (all, one) => all.or(one),
        }
    }
}
