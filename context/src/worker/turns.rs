//! Who has had a turn in one worker.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};

use super::{Broken, Cause};

/// Who has had a turn.
pub(super) struct Turns {
    running: Vec<Turn>,
    waiting: Vec<String>,
}

/// A variable that is being evaluated.
struct Turn {
    name: String,
    since: Instant,
    /// The process, if it is a fork of the worker.
    fork: Option<Pid>,
    /// Whether the fork has been killed for its time limit.
    overdue: bool,
}

impl Turns {
    pub(super) fn new(names: &[String]) -> Self {
        Self {
            running: Vec::new(),
            waiting: names.to_vec(),
        }
    }

    /// Since when the variable that is next at its time limit has been running.
    pub(super) fn started(&self) -> Option<Instant> {
        let within = self.running.iter().filter(|turn| !turn.overdue);
        within.map(|turn| turn.since).min()
    }

    pub(super) fn begin(&mut self, name: &str, fork: Option<Pid>) {
        self.waiting.retain(|waiting| waiting != name);
        self.running.push(Turn {
            name: name.to_owned(),
            since: Instant::now(),
            fork,
            overdue: false,
        });
    }

    pub(super) fn end(&mut self, name: &str) {
        self.waiting.retain(|waiting| waiting != name);
        self.running.retain(|turn| turn.name != name);
    }

    /// Kills the forks of `worker` that have reached the time limit of each variable. False: it is the worker itself
    /// that has, or a fork that has left its group.
    pub(super) fn kill_overdue(&mut self, limit: Duration, worker: Pid) -> bool {
        let now = Instant::now();
        let overdue = self.running.iter_mut().filter(|turn| !turn.overdue);
        let overdue = overdue.filter(|turn| turn.since + limit <= now);
        let mut only_forks = true;
        for turn in overdue {
            turn.overdue = turn.fork.is_some_and(|pid| end(pid, worker));
            only_forks &= turn.overdue;
        }
        only_forks
    }

    /// Whether a variable runs, and if so, whether it was killed for its time limit.
    pub(super) fn is_overdue(&self, name: &str) -> Option<bool> {
        let turn = self.running.iter().find(|turn| turn.name == name)?;
        Some(turn.overdue)
    }

    /// How it stands when the worker breaks off. What ran in forks is not to blame.
    pub(super) fn broken(self, cause: Cause) -> Broken {
        let (forks, own): (Vec<_>, Vec<_>) = self
            .running
            .into_iter()
            .partition(|turn| turn.fork.is_some());
        let forks = forks.into_iter().map(|turn| turn.name);
        Broken {
            cause,
            running: own.into_iter().next().map(|turn| turn.name),
            unfinished: self.waiting.into_iter().chain(forks).collect(),
        }
    }
}

/// Kills a process in the group of `worker`; whether it is gone then.
fn end(pid: Pid, worker: Pid) -> bool {
    match getpgid(Some(pid)) {
        Ok(group) if group == worker => kill(pid, Signal::SIGKILL).is_ok(),
        Ok(_) => false,
        // It has ended in this moment; the worker tells how.
        Err(_) => true,
    }
}
