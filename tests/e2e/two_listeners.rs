//! Two listeners at work, each a process of its own: of one group, with partitions that all tell of one database; and of
//! two groups by mistake, each of which hears everything. Each run is processed once, its raw and its proc data.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use runledger_tests::{Finished, Kafka, Service, Site, eventually};
use rusqlite::{Connection, OpenFlags};

/// Writes down each time that it is evaluated.
const CONTEXT: &str = r#"
from damnit_ctx import Variable

def write_down(run, data):
    with open("evaluated", "a") as books:
        books.write(f"{run['run']} {data}\n")
    return 1.5

@Variable()
def energy(run):
    return write_down(run, "raw")

@Variable(data="proc")
def corrected(run):
    return write_down(run, "proc")
"#;

const PAUSE: Duration = Duration::from_millis(100);

/// How much a listener has taken in, and how much of that it is done with.
fn inbox(site: &Site, folder: &str) -> (u32, u32) {
    let path = site.path(folder).join("listener.sqlite");
    let counted = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let sql = "SELECT count(*), count(done_at) FROM inbox";
    let counted =
        counted.and_then(|db| db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))));
    counted.unwrap_or_default()
}

/// All that is evaluated, with how often it was.
fn evaluations(database: &Path) -> BTreeMap<String, usize> {
    let books = std::fs::read_to_string(database.join("evaluated")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in books.lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

fn once(runs: u32, data: &[&str]) -> BTreeMap<String, usize> {
    let each = |run| data.iter().map(move |data| (format!("{run} {data}"), 1));
    (1..=runs).flat_map(each).collect()
}

/// How many jobs the ledger has, how many different ones, and how many of them have finished.
fn jobs(database: &Path) -> (u32, u32, u32) {
    let sql = "SELECT count(*), count(DISTINCT run || data), sum(state = 'finished') FROM jobs";
    let ledger = Connection::open(database.join("ledger.sqlite")).expect("the ledger");
    let row = ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    row.expect("the jobs")
}

fn values(database: &Path) -> u32 {
    let sql = "SELECT count(*) FROM run_variables WHERE value = 1.5";
    let table = Connection::open(database.join("runs.sqlite")).expect("the run table");
    table.query_row(sql, [], |row| row.get(0)).expect("values")
}

#[test]
fn listeners_of_a_group_that_come_and_are_killed_do_a_databases_raw_and_proc_data_once() {
    const RUNS: u32 = 28;
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    site.configure(
        "[notifications]\n",
        "[notifications]\ngroup_id = \"shared\"\n",
    );
    std::fs::create_dir(site.path("other")).expect("a folder");
    site.watch_from(&site.path("other"));
    let combiner = site.service(&["combiner", "run"]);
    let mut first = site.listener_in("listener");
    let why = || {
        let logs = ["listener.log", "other.log"].map(|log| std::fs::read_to_string(site.path(log)));
        format!("{logs:?}\n{}\n{:?}", combiner.said(), jobs(&site.db()))
    };
    let mut announcer = site.facility_announces_and_corrects(1..=RUNS / 2, PAUSE);
    eventually("the first is at work", why, || {
        inbox(&site, "listener").1 > 0
    });
    // It takes half of the partitions over while runs are told of.
    let second = site.listener_in("other");
    eventually("they share the partitions", why, || {
        let shares = |listener: &Service| listener.said().contains("partitions=2");
        shares(&first) && shares(&second)
    });
    assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
    let so_far = ["listener", "other"].map(|folder| inbox(&site, folder).0);
    let mut announcer = site.facility_announces_and_corrects(RUNS / 2 + 1..=RUNS, PAUSE);
    eventually("both have taken something in", why, || {
        inbox(&site, "listener").0 > so_far[0] && inbox(&site, "other").0 > so_far[1]
    });
    first.kill();
    assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
    // What the killed one had read, only it knows; it comes back while the other one has all partitions.
    let _first = site.listener_in("listener");
    let all = (2 * RUNS, 2 * RUNS, 2 * RUNS);
    eventually("all jobs have finished", why, || jobs(&site.db()) == all);
    eventually("all values are there", why, || {
        values(&site.db()) == 2 * RUNS
    });
    assert_eq!(
        evaluations(&site.db()),
        once(RUNS, &["raw", "proc"]),
        "{}",
        why()
    );
    eventually("nothing is left in an inbox", why, || {
        let inboxes = [inbox(&site, "listener"), inbox(&site, "other")];
        inboxes.iter().all(|(taken, done)| taken == done)
    });
}

/// A dynamic listener of the site, in a folder and so in a group of its own.
fn dynamic_listener(site: &Site, folder: &str) -> Service {
    let dir = site.path(folder);
    std::fs::create_dir_all(&dir).expect("a folder");
    let dynamic = ["listener", "config", "static-mode", "0"];
    Finished::of(&mut site.command(&dir, &dynamic)).succeeded();
    site.listener_in(folder)
}

#[test]
fn two_dynamic_listeners_by_mistake_share_the_work_also_when_one_is_killed_in_the_middle() {
    const RUNS: u32 = 24;
    let site = Site::with_broker();
    let usual = "data/SPB/202602/p001234/usr/Shared/amore";
    std::fs::create_dir_all(site.path(usual)).expect("a folder");
    site.init_in(usual, "1234", CONTEXT);
    let database = site.path(usual);
    site.open_runs_without_data(&database);
    let mut first = dynamic_listener(&site, "listener");
    let _second = dynamic_listener(&site, "other");
    let combiner = site.service(&["combiner", "run"]);
    let why = || {
        let logs = ["listener.log", "other.log"].map(|log| std::fs::read_to_string(site.path(log)));
        format!(
            "{logs:?}\n{}\n{:?}",
            combiner.said(),
            evaluations(&database)
        )
    };
    (1..=RUNS / 2).for_each(|run| site.announce("migration_complete", run));
    eventually("both have begun", why, || {
        inbox(&site, "listener").1 > 0 && inbox(&site, "other").1 > 0
    });
    first.kill();
    (RUNS / 2 + 1..=RUNS).for_each(|run| site.announce("migration_complete", run));
    eventually("the other one has done it all", why, || {
        inbox(&site, "other") == (RUNS, RUNS) && jobs(&database) == (RUNS, RUNS, RUNS)
    });
    let again = dynamic_listener(&site, "listener");
    eventually("the first finds nothing left to do", why, || {
        inbox(&site, "listener") == (RUNS, RUNS)
    });
    assert!(again.said().contains("has its job already"), "{}", why());
    eventually("all values are there", why, || values(&database) >= RUNS);
    assert_eq!(jobs(&database), (RUNS, RUNS, RUNS), "{}", why());
    assert_eq!(evaluations(&database), once(RUNS, &["raw"]), "{}", why());
}

#[test]
fn in_one_folder_the_second_listener_names_the_first_and_ends() {
    let site = Site::quiet();
    let first = site.service(&["listen", "."]);
    let is_ready = || first.said().contains("the listener is ready");
    eventually("it is ready", || first.said(), is_ready);
    let who = format!("process {} of ", first.id());
    let second = Finished::of(&mut site.command(&site.listener(), &["listen", "."]));
    second.failed(
        1,
        &["another listener is at work", &who, "stop that one first"],
    );
}
