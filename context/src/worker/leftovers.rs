//! Processes that users' code has left behind, in process groups and sessions of their own too.
//!
//! Orphans become children of this process; each worker's descendants carry a mark in their environment. Those that were
//! given another environment are known by their session: what this process starts itself stays in its own.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getsid};
use uuid::Uuid;

/// The environment variable with the mark.
const VARIABLE: &str = "RUNLEDGER_WORKER";
const NAMED: &[u8] = b"RUNLEDGER_WORKER=";
/// The mark of what is to stay when a job ends.
pub(super) const STAYS: (&str, &str) = (VARIABLE, "stays");
/// Killing a parent brings its children to light; so often, and so long, we look for more.
const LOOK: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(2);

/// The mark of one worker's processes.
#[derive(Debug)]
pub(super) struct Mark(String);

impl Mark {
    /// A new mark. From now on this process adopts its descendants' orphans.
    pub(super) fn new() -> Self {
        // Where the system refuses, orphans that left their group go unnoticed, as before.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        Self(Uuid::new_v4().simple().to_string())
    }

    /// What a process gets so that it and its children carry the mark.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Ends the orphans of this worker.
    pub(super) fn end_orphans(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found: Vec<Pid> = children()
                .into_iter()
                .filter(|pid| self.is_orphan(*pid))
                .collect();
            if found.is_empty() || Instant::now() >= deadline {
                return;
            }
            // At once: one that forks and ends all the time is another process a moment later.
            for pid in found {
                let _ = kill(pid, Signal::SIGKILL);
                let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn is_orphan(&self, pid: Pid) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut entries = environment.split(|byte| *byte == 0);
        let mark = entries.find_map(|entry| entry.strip_prefix(NAMED));
        match mark {
            Some(mark) => mark == self.0.as_bytes(),
            None => getsid(Some(pid)) != getsid(None),
        }
    }
}

/// The children of this process, whichever thread they belong to.
fn children() -> Vec<Pid> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let numbers = list.split_whitespace().filter_map(|word| word.parse().ok());
            numbers.map(Pid::from_raw).collect::<Vec<_>>()
        })
        .collect()
}
