//! `jobs` in a listener's folder: those of all databases that it watches.

use runledger_tests::{Finished, Site, eventually, python};
use serde_json::Value;

const CONTEXT: &str =
    "from damnit_ctx import Variable\n\n@Variable()\ndef energy(run):\n    return 1.5\n";

/// Run 7 of proposal 1234 is done; that of proposal 77 has failed, for want of a Python.
fn two_databases() -> Site {
    let site = Site::quiet();
    site.init(CONTEXT);
    site.init_in("other", "77", CONTEXT);
    site.watch_from(&site.listener());
    watch(&site, "77", "other");
    set_python(&site, "/no/such/python");
    reprocess(&site, "db").succeeded();
    reprocess(&site, "other").failed(3, &["p77 r7"]);
    site
}

fn watch(site: &Site, proposal: &str, folder: &str) {
    let dir = site.path(folder).display().to_string();
    let add = ["listener", "add", proposal, &dir];
    Finished::of(&mut site.command(&site.listener(), &add)).succeeded();
}

fn set_python(site: &Site, python: &str) {
    let set = ["db-config", "context-python", python];
    Finished::of(&mut site.command(&site.path("other"), &set)).succeeded();
}

fn reprocess(site: &Site, folder: &str) -> Finished {
    let arguments = ["reprocess", "7", "--mock", "--watch"];
    Finished::of(&mut site.command(&site.path(folder), &arguments))
}

/// In the listener's folder.
fn run(site: &Site, arguments: &[&str]) -> Finished {
    Finished::of(&mut site.command(&site.listener(), arguments))
}

fn listed(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let said = run(site, arguments).succeeded().stdout;
    serde_json::from_str(&said).expect("a list in JSON")
}

#[test]
fn the_jobs_of_all_databases_are_listed_and_tried_again() {
    let site = two_databases();
    let said = run(&site, &["jobs"]).succeeded().stdout;
    for words in ["p1234 r7", "p77 r7", "2 jobs: 1 finished, 1 failed."] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let failed = listed(&site, &["jobs", "--state", "failed", "--json"]);
    let other = site.path("other").display().to_string();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0]["database"], other.as_str());
    let id = failed[0]["id"].as_str().expect("an id")[..8].to_owned();
    let shown = run(&site, &["jobs", "show", &id]).succeeded().stdout;
    assert!(shown.contains(&other), "{shown}");
    let log = run(&site, &["jobs", "log", &id]).succeeded().stdout;
    assert!(log.contains("/no/such/python"), "{log}");

    set_python(&site, &python().display().to_string());
    run(&site, &["jobs", "retry", "--state", "failed", "--yes"]).succeeded();
    eventually(
        "it is done",
        || run(&site, &["jobs"]).stdout,
        || listed(&site, &["jobs", "--state", "finished", "--json"]).len() == 2,
    );
}

#[test]
fn a_run_that_several_databases_have_is_not_guessed() {
    let site = two_databases();
    for arguments in [
        &["jobs", "log", "--run", "7"][..],
        &[
            "jobs", "retry", "--run", "7", "--state", "finished", "--state", "failed", "--yes",
        ],
    ] {
        run(&site, arguments).failed(2, &["2 of the databases", "/db", "/other", "--in"]);
    }
    let of_one = ["jobs", "log", "--run", "7", "--in", "../db"];
    let log = run(&site, &of_one).succeeded().stdout;
    assert!(log.contains("r7 (p1234)"), "{log}");
}

#[test]
fn a_database_that_cannot_be_read_keeps_the_others_jobs_from_nobody() {
    let site = two_databases();
    std::fs::write(site.path("other/ledger.sqlite"), "scrambled").expect("a file of ours");
    watch(&site, "5", "nowhere");
    let jobs = run(&site, &["jobs"]).succeeded();
    let other = site.path("other").display().to_string();
    assert!(jobs.stdout.contains("1 job: 1 finished."), "{jobs:#?}");
    assert!(jobs.stderr.contains(&other), "{jobs:#?}");
}
