//! Results that are larger than what we hold: through the worker, a fragment and a merge, with little memory.
//!
//! One test, because the memory that it measures is the whole program's.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use runledger_context::run::RunId;
use runledger_context::worker::{End, Event};
use runledger_storage::fragment::{FragmentWriter, ready_fragments};
use runledger_storage::run_file;

const MIB: u64 = 1 << 20;

/// The memory that this process has had at most so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

/// Adds the results to a run's file that is there.
fn evaluate_and_merge(python: &Path, folder: &Path, run: RunId) {
    let first = [("first".to_owned(), support::results::numbers(600_000, 1))];
    support::results::fragment(folder, "first", &first);
    support::results::merge_all(folder);
    let before = run_file_id(folder, run);
    let mut writer = FragmentWriter::create(folder, run, "t", "context.py").unwrap();
    let end = support::evaluate(python, folder, run, &mut |event| {
        if let Event::Outcome { name, outcome, .. } = event {
            writer.save(&name, &outcome).unwrap();
        }
    });
    assert_eq!(end, End::Finished);
    writer.finish().unwrap();
    let fragments = ready_fragments(folder, None).unwrap();
    run_file::merge(folder, run, &fragments).unwrap();
    assert_eq!(before, run_file_id(folder, run));
}

fn run_file_id(folder: &Path, run: RunId) -> u64 {
    let about = fs::metadata(run_file::path(folder, run)).unwrap();
    about.ino()
}

#[test]
fn a_result_that_is_larger_than_our_memory_is_stored_compressed_and_drawn() {
    let Some(python) = support::python() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    write("context.py", include_str!("big_results/context.py"));
    write("check.py", include_str!("big_results/check.py"));
    write(
        "damnit_ctx.py",
        "class Variable:\n    def __init__(self, func): self.func = func\n",
    );
    let run = support::results::RUN;
    evaluate_and_merge(&python, folder.path(), run);
    // 200 MiB of results, the largest of 128.
    let ours = peak();
    assert!(ours < 100 * MIB, "{} MiB", ours / MIB);

    let file = run_file::path(folder.path(), run);
    let script = format!("import sys; sys.argv.append({file:?}); exec(open('check.py').read())");
    let found = support::ask(&python, folder.path(), &script);
    let bytes = |name: &str| found[name].as_u64().unwrap();
    assert!(
        bytes("peak") < bytes("data") + 140 * MIB,
        "Python had {} MiB for {} MiB of data",
        bytes("peak") / MIB,
        bytes("data") / MIB
    );
    assert!(found["stored"].as_f64().unwrap() < 0.2);
    assert_eq!(
        found["spreads"],
        serde_json::json!([1008.0, 1008.0, 1015.0, 1008.0])
    );
    assert_eq!(found["line"][1], -7.0);
    assert_eq!(found["picture"], "\u{89}PNG");
    assert_eq!(found["text"], "float64: (16, 1024, 1024)");
}
