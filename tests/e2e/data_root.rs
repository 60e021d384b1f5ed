//! Where a facility has its runs is in the configuration alone, and every job finds them there.

use runledger_tests::{Finished, Site, eventually};

const CONTEXT: &str = "
import os
from damnit_ctx import Variable

@Variable()
def trains(run):
    return len(run.train_ids)

@Variable()
def root(run):
    return os.environ['EXTRA_DATA_DATA_ROOT'] + '|' + os.environ['XFEL_DATA_ROOT']

@Variable()
def forked(run):
    with open(f'/proc/{os.getppid()}/cmdline') as file:
        return ' keep ' in file.read().replace('\\0', ' ')
";

fn facility() -> Site {
    let site = Site::with_broker();
    site.make_runs();
    site.init_in("db", "900123", CONTEXT);
    site
}

fn cell(site: &Site, run: u32, name: &str) -> Option<String> {
    site.text(&format!(
        "SELECT CAST(value AS TEXT) FROM run_variables WHERE run={run} AND name='{name}'"
    ))
}

#[test]
fn extra_data_finds_the_runs_whoever_starts_the_job() {
    let site = facility();
    let db = site.db().display().to_string();
    let add = ["listener", "add", "900123", &db];
    Finished::of(&mut site.command(&site.listener(), &add)).succeeded();
    let (combiner, listener) = (
        site.service(&["combiner", "run"]),
        site.service(&["listen", "."]),
    );
    let why = || format!("{}\n{}", listener.said(), combiner.said());
    let has_trains = |run| cell(&site, run, "trains").as_deref() == Some("60");
    site.notify(r#"{"event": "migration_complete", "proposal": 900123, "run": 1}"#);
    eventually("the listener's job", why, || has_trains(1));
    site.run(&["reprocess", "2", "--watch"]).succeeded();
    eventually("a queued job", why, || has_trains(2));
    site.run(&["reprocess", "3", "--direct"]).succeeded();
    eventually("a job at the terminal", why, || has_trains(3));
}

#[test]
fn a_warm_python_has_the_root_too() {
    let site = facility();
    site.configure("[jobs]", "[jobs]\nwarm_python = \"10min\"");
    let both = format!("{0}|{0}", site.data_root().display());
    eventually(
        "a job is forked",
        || site.run_log(1),
        || {
            site.run(&["reprocess", "1", "--direct"]).succeeded();
            site.run(&["combiner", "now", "."]).succeeded();
            assert_eq!(cell(&site, 1, "root").as_ref(), Some(&both));
            cell(&site, 1, "forked").as_deref() == Some("1")
        },
    );
}

#[test]
fn what_the_caller_has_set_wins_over_the_file_and_stays_as_it_is() {
    let site = facility();
    site.configure(
        &format!("root = {:?}", site.data_root()),
        "root = \"/nowhere\"",
    );
    let mut again = site.command(&site.db(), &["reprocess", "1", "--direct"]);
    Finished::of(again.env("EXTRA_DATA_DATA_ROOT", site.data_root())).succeeded();
    site.run(&["combiner", "now", "."]).succeeded();
    let both = format!("{0}|{0}", site.data_root().display());
    assert_eq!(cell(&site, 1, "root"), Some(both));
}
