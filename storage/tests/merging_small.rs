//! What a small fragment costs to merge into a large file.

mod support;

use std::path::Path;

use runledger_context::value::Outcome;
use support::results::{fragment, merge_all, numbers};

/// What this thread has asked the system to read, in bytes.
fn bytes_read() -> u64 {
    let counts = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let first = counts.lines().next().unwrap();
    first.strip_prefix("rchar: ").unwrap().parse().unwrap()
}

fn merge(dir: &Path, token: &str, outcomes: &[(String, Outcome)]) -> u64 {
    fragment(dir, token, outcomes);
    let before = bytes_read();
    merge_all(dir);
    bytes_read() - before
}

#[test]
fn a_small_fragment_reads_no_result_of_a_file_with_many() {
    let folder = tempfile::tempdir().unwrap();
    let small = [("small".to_owned(), numbers(1, 0))];
    let results = |from: usize, to: usize| -> Vec<_> {
        let all = (from..to).map(|at| (format!("v{at}"), numbers(5_000, at as u64)));
        all.collect()
    };
    merge(folder.path(), "a", &results(0, 10));
    let to_few = merge(folder.path(), "b", &small);
    merge(folder.path(), "c", &results(10, 300));
    let to_many = merge(folder.path(), "d", &small);
    // The file's 290 further results have 40 kB each; a line in the books has less than 2 kB.
    assert!(
        to_many < to_few + 290 * 2_000,
        "{to_few} bytes, {to_many} with many"
    );
    println!("{to_few} bytes, {to_many} with many");
}
