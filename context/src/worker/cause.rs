//! Why a worker ended before all had their turn, in the words that the cells get.

use std::fmt;
use std::time::Duration;

use crate::value::Failure;

/// Why a worker ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// By itself, or somebody killed it: `exit status 3`, `signal 11 (SIGSEGV)`.
    Died(String),
    /// What it sent made no sense, or found no place.
    Unreadable(String),
    /// A variable took longer than it may.
    VariableTimeLimit(Duration),
    /// The evaluation took longer than it may.
    JobTimeLimit(Duration),
    /// Somebody asked for the end.
    Stopped,
    /// After another cause, no new worker could be had for this reason.
    NoOther(String),
}

/// How an evaluation broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Why.
    pub cause: Cause,
    /// The variable (transient or not) in whose turn it was.
    pub running: Option<String>,
    /// What had no turn.
    pub unfinished: Vec<String>,
}

impl Broken {
    pub(super) fn without_turn(cause: Cause, names: &[String]) -> Self {
        Self {
            cause,
            running: None,
            unfinished: names.to_vec(),
        }
    }
}

impl Cause {
    /// Whether a new worker may go on with the other variables.
    pub(super) fn allows_another(&self) -> bool {
        matches!(
            self,
            Self::Died(_) | Self::Unreadable(_) | Self::VariableTimeLimit(_)
        )
    }

    /// The failure of the variable in whose turn it was.
    pub(super) fn while_running(&self) -> Failure {
        self.failure(match self {
            Self::Died(_) => format!("{self} while this variable was evaluated{}", self.hint()),
            Self::VariableTimeLimit(_) | Self::Unreadable(_) => self.to_string(),
            _ => format!("{self} while this variable was evaluated"),
        })
    }

    /// The failure of the variables that will have no turn.
    pub(super) fn before_turn(&self) -> Failure {
        self.failure(format!("not evaluated: {self} before its turn"))
    }

    fn failure(&self, message: String) -> Failure {
        Failure {
            class: self.class().into(),
            message,
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Self::Died(_) | Self::NoOther(_) => "PythonDied",
            Self::Unreadable(_) => "UnreadableResult",
            Self::VariableTimeLimit(_) | Self::JobTimeLimit(_) => "TimeLimit",
            Self::Stopped => "Stopped",
        }
    }

    /// What is most often behind it.
    fn hint(&self) -> &'static str {
        match self {
            Self::Died(how) if how.contains("SIGKILL") => {
                " (the system kills what takes too much memory)"
            }
            Self::Died(how) if how.contains("SIGSEGV") => {
                " (a fault in compiled code, or endless recursion; the run's log has the lines)"
            }
            _ => "",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(how) => write!(f, "Python ended ({how})"),
            Self::Unreadable(what) => write!(f, "what Python sent cannot be used: {what}"),
            Self::VariableTimeLimit(limit) => write!(
                f,
                "stopped after {}, the time limit of each variable",
                humantime::format_duration(*limit)
            ),
            Self::JobTimeLimit(limit) => write!(
                f,
                "the job's time limit of {} was over",
                humantime::format_duration(*limit)
            ),
            Self::Stopped => write!(f, "the job was told to stop"),
            Self::NoOther(why) => write!(f, "no new Python could be started ({why})"),
        }
    }
}
