//! Jobs on this machine that do not end by themselves are killed: one that was told to end, and one whose time is over.
//!
//! A job sees to its time itself, and hands in what it has; one that users' code has stopped (SIGSTOP) cannot. Of others
//! only they know how much time they have: it is in the configuration as they read it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tracing::warn;

use super::local::account;
use super::process::is_stopped;
use super::{Account, LocalSettings};
use crate::ledger::Ending;

/// A job, and which try.
type Key = (String, u32);

/// Until when each job has to have ended.
#[derive(Default)]
pub(super) struct Deadlines(HashMap<Key, Deadline>);

struct Deadline {
    at: Instant,
    is_told: bool,
    is_killed: bool,
}

impl Deadline {
    fn after(wait: Duration) -> Self {
        // A time that no clock can tell is none that comes.
        const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
        Self {
            at: Instant::now() + wait.min(YEAR),
            is_told: false,
            is_killed: false,
        }
    }
}

impl Deadlines {
    /// It runs: from the first time on that this is seen it has its time, and some to hand in what it has. One that was told
    /// to end, or is stopped, is killed then.
    pub(super) fn runs(
        &mut self,
        key: Key,
        settings: &LocalSettings,
        pid: impl FnOnce() -> Option<u32>,
    ) {
        let most = settings.time_limit.saturating_add(settings.grace);
        let deadline = self.0.entry(key).or_insert_with(|| Deadline::after(most));
        if deadline.at <= Instant::now()
            && !deadline.is_killed
            && let Some(pid) = pid()
            && (deadline.is_told || is_stopped(pid))
        {
            warn!(
                pid,
                "a job is stopped, or does not hear that it is to end: it is killed, {} s after its time was over or it was told",
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
        let deadline = self.0.entry(key).or_insert(Deadline::after(settings.grace));
        if !deadline.is_told {
            *deadline = Deadline {
                is_told: true,
                ..Deadline::after(settings.grace)
            };
        }
        signal(pid, Signal::SIGTERM)?;
        signal(pid, Signal::SIGCONT)
    }

    /// It has ended: what is known of that, if it was killed here. It may be asked again.
    pub(super) fn end(&mut self, key: &Key) -> Option<Account> {
        self.0
            .retain(|of, deadline| of != key || deadline.is_killed);
        self.0.get(key).map(|_| killed())
    }
}

/// Of a job that was killed because it did not end.
pub(super) fn killed() -> Account {
    Account {
        words: "it was stopped, or did not hear that it was to end, and was killed".into(),
        ..account(Ending::Signal(Signal::SIGKILL as i32))
    }
}

/// To all processes of a job. One that is gone is no error.
pub(super) fn signal(pid: u32, signal: Signal) -> Result<(), Errno> {
    let group = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
    match killpg(group, signal) {
        Err(Errno::ESRCH) => Ok(()),
        done => done,
    }
}
