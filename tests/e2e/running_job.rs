//! What can be seen of a job while it runs, and what it does when somebody or something asks it to end.

use nix::sys::signal::Signal;
use runledger_tests::{Service, Site, eventually};
use rusqlite::Connection;

/// The second of three variables waits for a file `go`.
const CONTEXT: &str = "
import os, time
from damnit_ctx import Variable

@Variable()
def first(run):
    return 1

@Variable()
def second(run, x: 'var#first'):
    open('second-runs', 'w').close()
    while not os.path.exists('go'):
        time.sleep(0.01)
    return 2

@Variable()
def third(run, x: 'var#second'):
    return 3
";

fn started() -> (Site, Service) {
    let site = Site::quiet();
    site.init(CONTEXT);
    let job = Service::start(
        &mut site.command(
            &site.db(),
            &["extract", "1234", "7", "all", "--mock", "--update-vars"],
        ),
        &site.path("job.log"),
    );
    let runs = site.db().join("second-runs");
    eventually("the second variable", || job.said(), || runs.exists());
    (site, job)
}

/// State, variables that are done, and of how many.
fn in_ledger(site: &Site) -> (String, Option<u32>, Option<u32>) {
    let ledger = Connection::open(site.db().join("ledger.sqlite")).expect("the ledger");
    let sql = "SELECT state, done, variables FROM jobs";
    let found = ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    found.expect("one job")
}

#[test]
fn the_ledger_and_the_log_tell_how_far_a_job_is() {
    let (site, mut job) = started();
    eventually(
        "the progress in the ledger",
        || format!("{:?}", in_ledger(&site)),
        || in_ledger(&site) == ("running".into(), Some(1), Some(3)),
    );
    assert!(
        job.said().contains("Evaluating second (2 of 3)"),
        "{}",
        job.said()
    );
    std::fs::write(site.db().join("go"), "").expect("the folder can be written");
    assert_eq!(job.end(), Some(0), "{}", job.said());
    assert_eq!(in_ledger(&site), ("finished".into(), Some(3), Some(3)));
}

#[test]
fn a_job_that_is_told_to_stop_hands_in_what_is_finished_and_says_why_the_rest_is_not() {
    // SIGUSR1 is what a queue may send some time before its limit.
    for signal in [Signal::SIGTERM, Signal::SIGUSR1] {
        let (site, mut job) = started();
        job.signal(signal);
        assert_eq!(job.end(), Some(3), "{}", job.said());
        assert_eq!(
            site.number("SELECT value FROM run_variables WHERE name = 'first'"),
            Some(1.0)
        );
        for (name, words) in [
            ("second", "while this variable was evaluated"),
            ("third", "before its turn"),
        ] {
            let (class, message) = site.error(name).expect("the error of a variable");
            assert_eq!(class, "Stopped");
            assert!(
                message.contains("told to stop") && message.contains(words),
                "{message}"
            );
        }
        assert_eq!(in_ledger(&site).0, "failed");
    }
}
