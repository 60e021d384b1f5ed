//! What a job would inherit by mistake from the Slurm job, the desktop or the service in which it is submitted.

use std::process::Command;

const VARIABLES: [&str; 5] = [
    "DISPLAY",
    "LD_PRELOAD",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];
/// All that tells a task of an array which it is.
const OF_ARRAYS: &str = "SLURM_ARRAY_";

/// Keeps it from a command that is a job, or submits one.
pub(super) fn keep_from(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let is_named = |name: &str| name.starts_with(OF_ARRAYS) || VARIABLES.contains(&name);
        if name.to_str().is_some_and(is_named) {
            command.env_remove(name);
        }
    }
}
