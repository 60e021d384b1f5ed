//! A database that another program keeps locked for longer than anybody waits at a time.

use runledger_tests::{Finished, Site, eventually};
use rusqlite::Connection;

use crate::{says, value};

const CONTEXT: &str = "
import os, time
from damnit_ctx import Variable

@Variable()
def energy(run):
    while not os.path.exists('go'):
        time.sleep(0.05)
    return 1.5
";
/// Of sysexits.h: what is worth another try.
const TRY_AGAIN: i32 = 75;

fn locked(site: &Site, file: &str, how: &str) -> Connection {
    let program = Connection::open(site.db().join(file)).expect("a database");
    program.execute_batch(how).expect("a lock");
    program
}

/// This process, as the programs under test name it.
fn ourselves() -> String {
    format!("process {} of", std::process::id())
}

#[test]
fn a_table_that_is_locked_for_minutes_has_all_wait_who_say_for_whom_and_go_on_then() {
    let site = Site::with_broker().watching(CONTEXT);
    let listener = site.service(&["listen", "."]);
    let combiner = site.service(&["combiner", "run"]);
    let said = || format!("{}\n{}", listener.said(), combiner.said());
    site.announce("migration_complete", 1);
    eventually("its job", said, || site.run_log(1).contains("Evaluating"));
    let program = locked(&site, "runs.sqlite", "BEGIN EXCLUSIVE");
    std::fs::write(site.db().join("go"), "").expect("a file");
    site.announce("migration_complete", 2);
    says(&listener, &ourselves());
    says(&combiner, &ourselves());
    // It waits for as long as anybody does, and is worth another try.
    let job = ["extract", "1234", "3", "all", "--mock"];
    let job = Finished::of(&mut site.command(&site.db(), &job));
    job.failed(TRY_AGAIN, &["runs.sqlite is locked by", &ourselves()]);
    program.execute_batch("COMMIT").expect("its end");
    eventually("all values", said, || {
        (1..=2).all(|run| value(&site, run, "energy") == Some(1.5))
    });
}

#[test]
fn a_ledger_that_is_locked_has_its_jobs_wait_and_the_log_says_for_whom() {
    let site = Site::with_broker().watching(CONTEXT);
    std::fs::write(site.db().join("go"), "").expect("a file");
    let listener = site.service(&["listen", "."]);
    let _combiner = site.service(&["combiner", "run"]);
    site.announce("migration_complete", 1);
    let said = || listener.said();
    eventually("its value", said, || value(&site, 1, "energy") == Some(1.5));
    let program = locked(&site, "ledger.sqlite", "BEGIN IMMEDIATE");
    site.announce("migration_complete", 2);
    says(&listener, &format!("locked by {}", name_of_ourselves()));
    program.execute_batch("COMMIT").expect("its end");
    eventually("its value", said, || value(&site, 2, "energy") == Some(1.5));
}

/// As the system lists it.
fn name_of_ourselves() -> String {
    let name = std::fs::read_to_string("/proc/self/comm").expect("our name");
    name.trim().to_owned()
}
