//! Who has had a turn in one worker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};

use super::{Broken, Cause, Event};

/// A variable that was begun in a fork may be begun once more, in the worker itself.
const MOST_BEGINNINGS: u8 = 2;

/// Who has had a turn.
///
/// Users' code can write into the channel as well: what it makes up must neither name what was not asked for nor
/// go on for ever. So each variable comes to one end, and the run begins once.
pub(super) struct Turns {
    running: Vec<Turn>,
    waiting: Vec<String>,
    /// Those that have not come to their end, and how often they began.
    open: BTreeMap<String, u8>,
    has_start_time: bool,
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
            open: names.iter().map(|name| (name.clone(), 0)).collect(),
            has_start_time: false,
        }
    }

    /// Notes what happens; an error says what cannot be.
    pub(super) fn hear(&mut self, event: &Event) -> Result<(), String> {
        let is_first = match event {
            Event::StartTime(_) => !std::mem::replace(&mut self.has_start_time, true),
            Event::Started(name) => self.may_begin(name),
            Event::Outcome { name, .. } | Event::NoValue { name, .. } => self.end(name),
        };
        match (is_first, event.name()) {
            (true, _) => Ok(()),
            (false, Some(name)) => Err(format!(
                "a turn of {name:?}, which was not asked for or has had its turn"
            )),
            (false, None) => Err("the run's beginning a second time".into()),
        }
    }

    fn may_begin(&mut self, name: &str) -> bool {
        let begun = self.open.get_mut(name);
        let begun = begun.filter(|begun| **begun < MOST_BEGINNINGS);
        begun.map(|begun| *begun += 1).is_some()
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

    /// False: it had its end already, or was not asked for.
    pub(super) fn end(&mut self, name: &str) -> bool {
        self.waiting.retain(|waiting| waiting != name);
        self.running.retain(|turn| turn.name != name);
        self.open.remove(name).is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(name: &str) -> Event {
        Event::NoValue {
            name: name.into(),
            held: false,
            failure: None,
        }
    }

    fn begun(name: &str) -> Event {
        Event::Started(name.into())
    }

    #[test]
    fn what_was_not_asked_for_or_has_had_its_turn_cannot_be() {
        let mut turns = Turns::new(&["a".into(), "b".into()]);
        turns.hear(&Event::StartTime(1.0)).unwrap();
        turns.hear(&begun("a")).unwrap();
        turns.hear(&ended("a")).unwrap();
        for event in [
            ended("a"),
            begun("a"),
            ended("c"),
            begun("../b"),
            ended(".reduced"),
        ] {
            let why = turns.hear(&event).unwrap_err();
            assert!(why.contains("was not asked for"), "{why}");
        }
        assert!(turns.hear(&Event::StartTime(1.0)).is_err());
        turns.hear(&ended("b")).unwrap();
    }

    #[test]
    fn a_variable_does_not_begin_for_ever() {
        let mut turns = Turns::new(&["a".into()]);
        turns.hear(&begun("a")).unwrap();
        turns.hear(&begun("a")).unwrap();
        assert!(turns.hear(&begun("a")).is_err());
    }
}
