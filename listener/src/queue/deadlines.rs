//! Jobs on this machine that do not end by themselves are killed: one that was told to end, and one whose time is over.
//!
//! A job sees to its time itself, and hands in what it has; one that users' code has stopped (SIGSTOP) cannot.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tracing::warn;

use super::local::account;
use super::{Account, LocalSettings};
use crate::ledger::Ending;

/// A job, and which try.
type Key = (String, u32);

/// Until when each job has to have ended.
#[derive(Default)]
pub(super) struct Deadlines(HashMap<Key, Deadline>);

struct Deadline {
    at: Instant,
    is_killed: bool,
}

impl Deadlines {
    /// Nothing more is to be known about others.
    pub(super) fn retain(&mut self, asked: &[Key]) {
        self.0.retain(|key, _| asked.contains(key));
    }

    /// It runs: from the first time on that this is seen it has its time, and some to hand in what it has.
    pub(super) fn runs(
        &mut self,
        key: Key,
        settings: &LocalSettings,
        pid: impl FnOnce() -> Option<u32>,
    ) {
        let deadline = self.0.entry(key).or_insert_with(|| Deadline {
            at: later(settings.time_limit.saturating_add(settings.grace)),
            is_killed: false,
        });
        if deadline.at <= Instant::now()
            && !deadline.is_killed
            && let Some(pid) = pid()
        {
            warn!(
                pid,
                "a job does not end, {} s after its time was over or it was told to: it is killed",
                settings.grace.as_secs()
            );
            deadline.is_killed = signal(pid, Signal::SIGKILL).is_ok();
        }
    }

    /// Tells it to end, also one that is stopped.
    pub(super) fn tell(
        &mut self,
        key: Key,
        pid: u32,
        settings: &LocalSettings,
    ) -> Result<(), Errno> {
        let at = later(settings.grace);
        let deadline = self.0.entry(key).or_insert(Deadline {
            at,
            is_killed: false,
        });
        deadline.at = deadline.at.min(at);
        signal(pid, Signal::SIGTERM)?;
        signal(pid, Signal::SIGCONT)
    }

    /// What is known of the end of one that was killed here.
    pub(super) fn end(&self, key: &Key) -> Option<Account> {
        let deadline = self.0.get(key)?;
        deadline.is_killed.then(killed)
    }
}

/// Of a job that was killed because it did not end.
pub(super) fn killed() -> Account {
    Account {
        words: "its time was over, or it was told to end, and it did not: it was killed".into(),
        ..account(Ending::Signal(Signal::SIGKILL as i32))
    }
}

/// A time that no clock can tell is none that comes.
fn later(wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
    Instant::now() + wait.min(YEAR)
}

/// To all processes of a job. One that is gone is no error.
pub(super) fn signal(pid: u32, signal: Signal) -> Result<(), Errno> {
    let group = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
    match killpg(group, signal) {
        Err(Errno::ESRCH) => Ok(()),
        done => done,
    }
}
