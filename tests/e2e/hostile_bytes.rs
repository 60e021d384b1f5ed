//! What hostile files can cost the service.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use runledger_tests::{Site, eventually, limited};
use serde_json::json;

/// A fragment on which HDF5 works for ever: an object of its global heap has the length 0.
const ENDLESS: &[u8] = include_bytes!("../../fuzz/hdf5/endless_heap");

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

#[test]
fn a_file_on_which_hdf5_works_for_ever_ends_the_process_that_reads_it() {
    let site = Site::quiet();
    site.init("");
    let results = site.db().join("extracted_data");
    std::fs::create_dir_all(&results).expect("a folder");
    let fragment = results.join("p1234_r1.endless.ready.h5");
    std::fs::write(&fragment, ENDLESS).expect("a fragment");
    let inner = site.command(&site.db(), &["combiner", "worker"]);
    // Less time than it gives itself.
    let mut worker = worker(&mut limited(&inner, "ulimit -t 5"));
    let mut requests = worker.stdin.take().expect("its input");
    let submission = json!({"database_dir": site.db(), "fragment": fragment, "run": {"proposal": 1234, "run": 1}});
    writeln!(requests, "{}", json!({ "Name": submission })).expect("a request");
    let mut answers = BufReader::new(worker.stdout.take().expect("its output"));
    let mut answer = String::new();
    answers
        .read_line(&mut answer)
        .expect("the end of its output");
    assert_eq!(answer, "");
    let how = worker.wait().expect("its end").signal();
    // What its combiner takes for a crash: `suspects.rs`.
    assert_eq!(how, Some(Signal::SIGXCPU as i32));
}
