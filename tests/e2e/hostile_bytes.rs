//! What hostile files can cost the service.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;
use runledger_tests::{Site, eventually, limited};
use serde_json::json;

/// A fragment on which HDF5 works for ever: an object of its global heap has the length 0.
const ENDLESS: &[u8] = include_bytes!("../../fuzz/hdf5/endless_heap");
/// One for which HDF5 takes more than four gigabytes: a list in it says that it has billions of elements.
const LONG: &[u8] = include_bytes!("../../fuzz/hdf5/long_list");

/// The most that a process may take, from a line of `/proc/PID/limits`.
fn limit(pid: u32, what: &str) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(what))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A process that merges.
fn worker(command: &mut Command) -> Child {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    pipes.spawn().expect("a process that merges")
}

#[test]
fn a_process_that_merges_may_take_so_much_memory_and_time() {
    let site = Site::quiet();
    site.init("");
    let mut worker = worker(&mut site.command(&site.db(), &["combiner", "worker"]));
    let mut requests = worker.stdin.take().expect("its input");
    writeln!(requests, "{}", json!({ "Look": site.db() })).expect("a request");
    let pid = worker.id();
    let limits = || (limit(pid, "Max data size"), limit(pid, "Max cpu time"));
    let is_limited = || matches!(limits(), (Some(1..=0x1_0000_0000), Some(1..=3600)));
    eventually("limits", || format!("{:?}", limits()), is_limited);
    drop(requests);
    assert!(worker.wait().expect("its end").success());
}

/// What comes of asking such a process for a piece of work on a fragment of this content, and how it ends then.
fn answer(work: &str, content: &[u8], limits: &str) -> (String, ExitStatus) {
    let site = Site::quiet();
    site.init("");
    let results = site.db().join("extracted_data");
    std::fs::create_dir_all(&results).expect("a folder");
    let fragment = results.join("p1234_r1.odd.ready.h5");
    std::fs::write(&fragment, content).expect("a fragment");
    let inner = site.command(&site.db(), &["combiner", "worker"]);
    let mut worker = worker(&mut limited(&inner, limits));
    let mut requests = worker.stdin.take().expect("its input");
    let run = json!({"proposal": 1234, "run": 1});
    let asked = json!({"database_dir": site.db(), "fragment": fragment, "run": run});
    writeln!(requests, "{}", json!({ work: asked })).expect("a request");
    drop(requests);
    let mut answers = worker.stdout.take().expect("its output");
    let mut answer = String::new();
    let read = answers.read_to_string(&mut answer);
    read.expect("the end of its output");
    (answer, worker.wait().expect("its end"))
}

#[test]
fn a_file_on_which_hdf5_works_for_ever_ends_the_process_that_reads_it() {
    // Less time than it gives itself.
    let (answer, end) = answer("Name", ENDLESS, "ulimit -t 5");
    assert_eq!(answer, "");
    // What its combiner takes for a crash: `suspects.rs`.
    assert_eq!(end.signal(), Some(Signal::SIGXCPU as i32));
}

#[test]
fn a_file_for_which_hdf5_wants_more_memory_than_there_may_be_is_refused() {
    let (answer, end) = answer("Examine", LONG, "true");
    assert!(answer.contains("memory allocation failed"), "{answer}");
    assert!(end.success());
}
