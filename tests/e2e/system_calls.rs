//! What one job asks of the system: how much, how often Python starts, and that a file is on the disk before it gets its
//! name.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use runledger_tests::{Finished, Site, needs};

/// Twice what was measured.
const LIMIT: usize = 15_600;

const CONTEXT: &str = "
from damnit_ctx import Variable

@Variable(title='Number')
def number(run):
    return 1.5

@Variable(title='Twice')
def twice(run, number: 'var#number'):
    return 2 * number
";

/// The calls of `traced` that a job and its merge make, one a line, with the files' paths.
fn calls(site: &Site, traced: &str) -> Vec<String> {
    let job = site.command(&site.db(), &["reprocess", "7", "--mock", "--direct"]);
    let trace = site.path("trace");
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-y",
        "-qq",
        "-s",
        "4096",
        "-e",
        &format!("trace={traced}"),
        "-o",
    ]);
    strace
        .arg(&trace)
        .arg(job.get_program())
        .args(job.get_args());
    strace.current_dir(job.get_current_dir().unwrap_or(Path::new(".")));
    for (name, value) in job.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    Finished::of(&mut strace).succeeded();
    let text = std::fs::read_to_string(trace).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_file_is_on_the_disk_before_it_gets_its_name_and_its_folder_after() {
    if !needs("strace", "strace") {
        return;
    }
    let site = Site::quiet();
    site.init(CONTEXT);
    let calls = calls(
        &site,
        "fsync,fdatasync,rename,renameat,renameat2,link,linkat",
    );
    let named: Vec<usize> = (0..calls.len())
        .filter(|&at| !calls[at].contains("sync(") && !calls[at].contains("ENOENT"))
        .filter(|&at| calls[at].contains("p1234_r7.") && calls[at].contains(".h5\""))
        .collect();
    // The fragment and the run's file.
    assert!(named.len() >= 2, "{calls:#?}");
    for at in named {
        // The folder is named by its descriptor there.
        let draft = calls[at].split('"').nth(1).unwrap();
        let draft = &draft[draft.rfind('/').unwrap()..];
        let is_synced = |call: &String, path: &str| {
            call.contains("sync(") && call.contains(&format!("{path}>"))
        };
        assert!(
            calls[..at].iter().any(|call| is_synced(call, draft)),
            "{draft}: {calls:#?}"
        );
        let folder = "/extracted_data";
        assert!(
            calls[at..].iter().any(|call| is_synced(call, folder)),
            "{draft}: {calls:#?}"
        );
    }
}

#[test]
fn a_job_starts_python_once() {
    if !needs("strace", "strace") {
        return;
    }
    let site = Site::quiet();
    site.init(CONTEXT);
    let calls = calls(&site, "execve");
    let starts = calls
        .iter()
        .filter(|call| call.contains(" = 0") && call.contains("python"));
    let starts: Vec<&String> = starts.collect();
    assert_eq!(starts.len(), 1, "{calls:#?}");
}

/// The calls of our own processes: without Python and what that starts.
fn without_python(calls: &[String]) -> usize {
    let mut python: HashSet<&str> = HashSet::new();
    let ours = calls.iter().filter(|call| {
        let process = call.split(' ').next().unwrap_or_default();
        if call.contains("execve(") && call.contains("python") && call.contains(" = 0") {
            python.insert(process);
        }
        if python.contains(process) && call.contains("clone") {
            python.extend(call.rsplit(' ').next());
        }
        !python.contains(process)
    });
    ours.count()
}

#[test]
fn a_job_makes_few_system_calls_of_its_own() {
    if !needs("strace", "strace") {
        return;
    }
    let site = Site::quiet();
    site.init(CONTEXT);
    let count = without_python(&calls(&site, "all"));
    println!("{count} system calls");
    // DAMNIT's job makes 62 000.
    assert!((100..LIMIT).contains(&count), "{count} system calls");
}
