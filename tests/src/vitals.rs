//! What processes have of the machine.

use std::fs::{read_dir, read_to_string};
use std::ops::Add;

/// Of one process, or of several together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// Resident, in MB of 1000 kB, as `ps` tells it.
    pub memory: u64,
    /// Open files, sockets and pipes.
    pub files: usize,
}

impl Vitals {
    /// Of one process; None when it has ended.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory: u64 = line.split_whitespace().next()?.parse().ok()?;
        let files = read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        Some(Self {
            memory: memory / 1000,
            files,
        })
    }

    /// Of a process and all that descend from it; None when it has ended.
    pub(crate) fn of_all(pid: u32) -> Option<Self> {
        let children = children(pid).into_iter().filter_map(Self::of_all);
        Some(children.fold(Self::of(pid)?, Add::add))
    }
}

impl Add for Vitals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            memory: self.memory + other.memory,
            files: self.files + other.files,
        }
    }
}

/// Each thread has those that it has started (proc_pid_task_children(5)).
fn children(pid: u32) -> Vec<u32> {
    let threads = read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let of_thread =
        threads.filter_map(|thread| read_to_string(thread.ok()?.path().join("children")).ok());
    let pids = |text: String| {
        text.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect::<Vec<_>>()
    };
    of_thread.flat_map(pids).collect()
}
