//! The jobs at work, as the system's list of processes tells them.

use std::collections::BTreeMap;
use std::path::Path;

/// The processes at work in a database's folder, with the jobs and attempts that they do.
pub(crate) fn jobs_in(dir: &Path) -> BTreeMap<i32, (String, u32)> {
    let processes = std::fs::read_dir("/proc").expect("processes");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_here =
        |pid: &i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == dir);
    pids.filter(is_here)
        .filter_map(|pid| Some((pid, job_of(pid)?)))
        .collect()
}

/// Its command line says which.
fn job_of(pid: i32) -> Option<(String, u32)> {
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<&str> = command.split('\0').collect();
    let after = |option| {
        let place = words.iter().position(|word| *word == option)?;
        words.get(place + 1)
    };
    let is_job = words.contains(&"extract");
    let job = after("--processing-id")?.to_string();
    let attempt = after("--attempt")?.parse().ok()?;
    is_job.then_some((job, attempt))
}
