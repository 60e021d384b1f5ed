//! Listener and combiner on a real Kafka: brokers that die, groups that share, supervisord that starts again; and
//! afterwards the books.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_tests::{Kafka, Service, Site, Supervised, WRITES_DOWN, evaluations, eventually};

const PAUSE: Duration = Duration::from_millis(100);

fn once(runs: u32) -> BTreeMap<u32, usize> {
    (1..=runs).map(|run| (run, 1)).collect()
}

/// Waits for all values, and then audits: each notification handled once, each result in table, each update told.
fn audit(site: &Site, runs: u32, why: impl Fn() -> String) {
    let sql = "SELECT count(*) FROM run_variables WHERE name='energy' AND value=1.5";
    eventually("all runs are in the table", &why, || {
        site.number(sql) == Some(f64::from(runs))
    });
    assert_eq!(evaluations(site), once(runs), "{}", why());
    let ledger = rusqlite::Connection::open(site.db().join("ledger.sqlite")).expect("the ledger");
    let sql = "SELECT count(*), count(DISTINCT run) FROM jobs";
    let jobs: (u32, u32) = ledger
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("the jobs");
    assert_eq!(jobs, (runs, runs), "{}", why());
    let identity = site.text("SELECT value FROM metameta WHERE key='db_id'");
    let topic = format!("test.damnit.db-{}", identity.expect("an identity"));
    let arguments = [
        &site.broker_address,
        &topic,
        "--until-values",
        &runs.to_string(),
    ];
    let heard = site.python("follow_updates.py", &arguments.map(AsRef::as_ref));
    assert_eq!(
        heard.code,
        Some(0),
        "an update is missing:\n{}",
        heard.stdout
    );
}

#[test]
fn a_broker_that_is_killed_while_runs_are_announced_costs_nothing() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    let listener = site.service(&["listen", "."]);
    let combiner = site.service(&["combiner", "run"]);
    let mut announcer = site.facility_announces(1..=20, PAUSE);
    let why = || [&listener, &combiner].map(Service::said).join("\n---\n");
    for so_far in ["4\n", "12\n"] {
        eventually(
            "the announcer has come so far",
            || announcer.said(),
            || announcer.said().contains(so_far),
        );
        kafka.kill();
        kafka.start_again();
    }
    assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
    audit(&site, 20, why);
}

/// What a listener has taken in: where each message was read, and whether all is done that follows from it.
fn inbox(folder: &Path) -> Vec<(i32, i64, bool)> {
    let db = rusqlite::Connection::open(folder.join("listener.sqlite")).expect("its database");
    let sql = "SELECT partition, \"offset\", done_at IS NOT NULL FROM inbox";
    let mut rows = db.prepare(sql).expect("the inbox");
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .expect("what is in the inbox")
}

#[test]
fn of_two_listeners_of_a_group_one_is_killed_and_all_is_handled_once() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    site.configure(
        "[notifications]\n",
        "[notifications]\ngroup_id = \"shared\"\n",
    );
    let (first, second) = (site.listener(), site.path("other"));
    std::fs::create_dir(&second).expect("a folder");
    site.watch_from(&second);
    let mut listener = site.service(&["listen", "."]);
    let mut other = site.listener_in("other");
    let combiner = site.service(&["combiner", "run"]);
    let why = || {
        let logs = ["listen.log", "other.log"].map(|log| std::fs::read_to_string(site.path(log)));
        format!("{logs:?}\n{}", combiner.said())
    };
    let share = |listener: &Service| listener.said().contains("partitions=2");
    eventually("they share the partitions", why, || {
        share(&listener) && share(&other)
    });
    let mut announcer = site.facility_announces(1..=24, PAUSE);
    eventually("both take something in", why, || {
        !inbox(&first).is_empty() && !inbox(&second).is_empty()
    });
    listener.kill();
    assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
    // The database is now the second one's, and so are all partitions.
    eventually(
        "the second has done all that the first had not read",
        why,
        || {
            let (theirs, ours) = (inbox(&first), inbox(&second));
            let places = [&theirs, &ours].into_iter().flatten();
            let read: BTreeSet<_> = places
                .map(|(partition, offset, _)| (partition, offset))
                .collect();
            read.len() == 24 && ours.iter().all(|(_, _, is_done)| *is_done)
        },
    );
    assert_eq!(other.stop(), Some(0), "{}", other.said());
    // What the killed one had read, only it knows.
    let _listener = site.service(&["listen", "."]);
    audit(&site, 24, why);
}

#[test]
fn under_supervisord_nothing_is_lost_whatever_is_restarted_stopped_or_killed() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    let combiner = site.service(&["combiner", "run"]);
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    let mut announcer = site.facility_announces(1..=30, PAUSE);
    let come_so_far = |run: u32| {
        let line = format!("{run}\n");
        eventually(
            "the announcer has come so far",
            || announcer.said(),
            || announcer.said().contains(&line),
        );
    };
    come_so_far(3);
    supervised.control(&["restart", "damnit"]).succeeded();
    come_so_far(8);
    let pid = supervised.listener_pid().expect("it runs");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is ours");
    come_so_far(12);
    supervised.control(&["stop", "damnit"]).succeeded();
    come_so_far(16);
    kafka.kill();
    supervised.daemonize().succeeded();
    kafka.start_again();
    assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
    audit(&site, 30, || {
        format!("{}\n{}", supervised.log(), combiner.said())
    });
}
