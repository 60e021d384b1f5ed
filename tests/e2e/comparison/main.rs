//! One large context file gives the same tables and the same run files by DAMNIT and by ours; differences have names.

mod on_purpose;

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use on_purpose::{Difference, ON_PURPOSE, Subject};
use runledger_tests::{Finished, Site};
use serde_json::Value;

/// The context file is these, one after the other.
const CHAPTERS: [&str; 14] = [
    include_str!("../../context/numbers.py"),
    include_str!("../../context/arrays.py"),
    include_str!("../../context/labelled.py"),
    include_str!("../../context/tables.py"),
    include_str!("../../context/figures.py"),
    include_str!("../../context/cells.py"),
    include_str!("../../context/summaries.py"),
    include_str!("../../context/coordinates.py"),
    include_str!("../../context/messages.py"),
    include_str!("../../context/odd.py"),
    include_str!("../../../context/tests/parity_context.py"),
    include_str!("../../../context/tests/group_parity_context.py"),
    include_str!("../../context/real_run.py"),
    include_str!("../../context/parent.py"),
];

/// What DAMNIT can store nothing of the run with.
const LOST: &str = include_str!("../../context/lost.py");

/// Everything is something else when the run is evaluated again.
const CHANGING: &str = include_str!("../../context/changing.py");

/// What the last chapter says of it.
const WARM: &str = "a Python that waited is this one's parent";

/// The proposal of the demo, whose run 1 has raw and corrected data, and run 4 only raw data.
const PROPOSAL: &str = "900123";

fn context() -> String {
    // For variables of a whole node DAMNIT needs Slurm.
    CHAPTERS
        .join("\n\n")
        .replace("cluster=True", "cluster=False")
}

fn with_runs() -> Site {
    let site = Site::quiet();
    site.make_runs();
    site
}

/// Evaluates `runs` by ours, in a database of its own; what the jobs said.
fn by_ours(site: &Site, folder: &str, context: &str, runs: &[&str]) -> String {
    let dir = site.path(folder);
    if !dir.exists() {
        site.init_in(folder, PROPOSAL, context);
    }
    let said = runs.iter().map(|run| {
        let arguments = ["extract", PROPOSAL, run, "all", "--update-vars"];
        let finished = Finished::of(&mut site.command(&dir, &arguments)).succeeded();
        finished.stdout + &finished.stderr
    });
    said.collect()
}

fn by_damnit(site: &Site, context: &str, runs: &[&str]) -> Finished {
    site.write("given.py", context);
    let (theirs, given) = (site.path("theirs"), site.path("given.py"));
    let mut arguments = vec![theirs.as_os_str(), given.as_os_str(), PROPOSAL.as_ref()];
    arguments.extend(runs.iter().map(OsStr::new));
    site.python("make_with_damnit.py", &arguments)
}

/// How the first database differs from the second.
fn differences(site: &Site, first: &str, second: &str) -> Vec<Value> {
    let [first, second, out] = [first, second, "differences.json"].map(|name| site.path(name));
    let arguments = [first.as_os_str(), second.as_os_str(), out.as_os_str()];
    site.python("compare_databases.py", &arguments).succeeded();
    let text = std::fs::read_to_string(out).expect("the differences");
    serde_json::from_str(&text).expect("JSON")
}

fn is_about(difference: &Value, (of, what, _): &Subject) -> bool {
    let found = difference["what"].as_str().expect("a text");
    difference["of"] == *of && found.starts_with(what)
}

#[test]
fn whatever_a_context_file_returns_is_stored_as_by_damnit() {
    let (site, runs) = (with_runs(), ["1", "4"]);
    by_damnit(&site, &context(), &runs).succeeded();
    by_ours(&site, "db", &context(), &runs);
    let found = differences(&site, "db", "theirs");
    let named: Vec<Subject> = ON_PURPOSE.iter().flat_map(Difference::subjects).collect();
    let is_named = |found: &&Value| named.iter().any(|subject| is_about(found, subject));
    let is_there = |subject: &&Subject| found.iter().any(|found| is_about(found, subject));
    let unnamed: Vec<_> = found.iter().filter(|found| !is_named(found)).collect();
    assert!(unnamed.is_empty(), "not on purpose: {unnamed:#?}");
    let unneeded: Vec<_> = named.iter().filter(|named| !is_there(named)).collect();
    assert!(unneeded.is_empty(), "no difference any more: {unneeded:#?}");
}

#[test]
fn a_run_that_is_evaluated_again_has_what_it_has_with_damnit() {
    let (site, runs) = (with_runs(), ["1"]);
    for _ in ["first", "again"] {
        by_damnit(&site, CHANGING, &runs).succeeded();
        by_ours(&site, "db", CHANGING, &runs);
        site.write("theirs/again", "");
        site.write("db/again", "");
    }
    let changed = "SELECT value FROM run_variables WHERE name='number_then_text'";
    assert_eq!(site.text(changed).as_deref(), Some("text"));
    assert_eq!(differences(&site, "db", "theirs"), [Value::Null; 0]);
}

#[test]
fn in_parallel_and_in_a_warm_python_everything_is_the_same() {
    let (site, runs) = (with_runs(), ["1"]);
    by_ours(&site, "db", &context(), &runs);
    site.configure("[jobs]", "[jobs]\ncontext_workers = 3");
    by_ours(&site, "parallel", &context(), &runs);
    assert_eq!(differences(&site, "parallel", "db"), [Value::Null; 0]);

    let settings = "[jobs]\nwarm_python = \"10min\"";
    site.configure("[jobs]\ncontext_workers = 3", settings);
    let until = Instant::now() + Duration::from_secs(120);
    while !by_ours(&site, "warm", &context(), &runs).contains(WARM) {
        assert!(Instant::now() < until, "no job was warm");
    }
    assert_eq!(differences(&site, "warm", "db"), [Value::Null; 0]);
}

#[test]
fn what_costs_the_whole_run_with_damnit_costs_at_most_itself() {
    let (site, runs) = (with_runs(), ["4"]);
    assert_ne!(by_damnit(&site, LOST, &runs).code, Some(0));
    by_ours(&site, "db", LOST, &runs);
    assert_eq!(
        site.number("SELECT value FROM run_variables WHERE name='others'"),
        Some(42.0)
    );
    let lost = "SELECT group_concat(name) FROM (SELECT name FROM run_variables
                WHERE attributes LIKE '%error%' ORDER BY name)";
    assert_eq!(
        site.text(lost).as_deref(),
        Some(
            "levels,mixed_frame,named_with_a_number,slash_in_a_dimension,text_with_nul,truth_as_attribute"
        )
    );
}
