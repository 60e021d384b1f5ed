//! A broker that hangs, or whose packets get lost: connections stay, and nothing comes through them. And a listener that
//! hangs until the broker misses it.

use std::any::Any;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use runledger_tests::{Kafka, Service, Site, WRITES_DOWN, evaluations, eventually};

/// A supervisor may kill what takes longer.
const AT_MOST: Duration = Duration::from_secs(5);

fn values(site: &Site) -> f64 {
    let sql = "SELECT count(*) FROM run_variables WHERE name='energy' AND value=1.5";
    site.number(sql).expect("a count")
}

fn in_ledger(site: &Site, sql: &str) -> u32 {
    let ledger = rusqlite::Connection::open(site.db().join("ledger.sqlite")).expect("the ledger");
    ledger
        .query_row(sql, [], |row| row.get(0))
        .expect("a number")
}

/// How many messages wait for a broker.
fn waiting(site: &Site) -> u32 {
    in_ledger(site, "SELECT count(*) FROM outbox")
}

fn stops_in_time(service: &mut Service) {
    let asked = Instant::now();
    assert_eq!(service.stop(), Some(0), "{}", service.said());
    let took = asked.elapsed();
    assert!(took < AT_MOST, "{took:?}\n{}", service.said());
}

/// Both of them, with one run in the table, and nothing left to do or to tell.
fn at_work(site: &Site) -> [Service; 2] {
    with_one_run(
        site,
        [
            site.service(&["listen", "."]),
            site.service(&["combiner", "run"]),
        ],
    )
}

fn with_one_run(site: &Site, services: [Service; 2]) -> [Service; 2] {
    site.announce("migration_complete", 1);
    let why = || said(&services);
    eventually("the first run is there", why, || values(site) == 1.0);
    eventually("nothing is left to do", why, || {
        services[0].said().contains("job ended") && waiting(site) == 0
    });
    services
}

fn said(services: &[Service; 2]) -> String {
    services.each_ref().map(Service::said).join("\n---\n")
}

/// A job and its clients get on without a broker; listener and combiner stop in time; and what was announced while it
/// was silent is handled once when it speaks again, by those who were there and by those who came meanwhile.
fn costs_nothing(site: &Site, silence: impl Fn() -> Box<dyn Any>) {
    let raw = "data/SPB/202602/p001234/raw/r0001";
    std::fs::create_dir_all(site.path(raw)).expect("a folder");
    let services = at_work(site);
    let silent = silence();
    site.run(&["reprocess", "1", "--direct"]).succeeded();
    let why = || said(&services);
    eventually("the job is done, and nobody hears of it", why, || {
        let done = in_ledger(site, "SELECT count(*) FROM jobs WHERE state = 'finished'");
        done == 2 && waiting(site) > 0
    });
    drop(silent);
    (2..=5).for_each(|run| site.announce("migration_complete", run));
    eventually("they go on", why, || {
        values(site) == 5.0 && waiting(site) == 0
    });
    let silent = silence();
    let [mut listener, mut combiner] = services;
    stops_in_time(&mut listener);
    stops_in_time(&mut combiner);
    let services = [
        site.service(&["listen", "."]),
        site.service(&["combiner", "run"]),
    ];
    let is_ready = |service: &Service| service.said().matches("is ready").count() == 2;
    eventually(
        "they are ready",
        || said(&services),
        || services.iter().all(is_ready),
    );
    drop(silent);
    (6..=8).for_each(|run| site.announce("migration_complete", run));
    eventually(
        "all is there",
        || said(&services),
        || values(site) == 8.0 && waiting(site) == 0,
    );
    let mut once: BTreeMap<u32, usize> = (1..=8).map(|run| (run, 1)).collect();
    // By hand once more.
    once.insert(1, 2);
    assert_eq!(evaluations(site), once, "{}", said(&services));
}

#[test]
fn a_broker_that_hangs_costs_nothing_and_all_stop_in_time_meanwhile() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    costs_nothing(&site, || Box::new(kafka.freeze()));
}

#[test]
fn connections_whose_packets_are_lost_cost_nothing_and_all_stop_in_time_meanwhile() {
    let Some(kafka) = Kafka::start_apart() else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    costs_nothing(&site, || Box::new(kafka.cut()));
}

#[test]
fn a_silent_broker_is_spoken_of_once() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    for section in ["notifications", "updates"] {
        let head = format!("[{section}.properties]\n");
        site.configure(
            &head,
            &format!("{head}\"socket.timeout.ms\" = \"2000\"\n\"api.version.request.timeout.ms\" = \"2000\"\n"),
        );
    }
    let all_that_is_told = [
        site.service(&["listen", "-vv", "."]),
        site.service(&["combiner", "-vv", "run"]),
    ];
    let services = with_one_run(&site, all_that_is_told);
    let silent = kafka.freeze();
    let (gone, back) = ("the broker does not answer", "the broker answers again");
    let known = "still in trouble";
    let count = |service: &Service, words: &str| service.said().matches(words).count();
    let why = || said(&services);
    eventually("both say that it is gone", why, || {
        services.iter().all(|service| count(service, gone) > 0)
    });
    eventually("both see many times more that it is", why, || {
        services.iter().all(|service| count(service, known) > 3)
    });
    // For reading and for telling each.
    let once = |service: &Service| count(service, gone) <= 2;
    assert!(services.iter().all(once), "{}", why());
    drop(silent);
    site.announce("migration_complete", 2);
    eventually("both say that it is back", why, || {
        services.iter().all(|service| count(service, back) > 0)
    });
    eventually("the second run is there", why, || values(&site) == 2.0);
}

#[test]
fn a_listener_that_hung_until_it_was_missed_shares_the_work_again_and_nothing_is_done_twice() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    site.configure(
        "[notifications]\n",
        "[notifications]\ngroup_id = \"shared\"\n",
    );
    let services = at_work(&site);
    std::fs::create_dir(site.path("other")).expect("a folder");
    site.watch_from(&site.path("other"));
    services[0].signal(Signal::SIGSTOP);
    (2..=5).for_each(|run| site.announce("migration_complete", run));
    // It is given all partitions when the broker misses the first.
    let mut command = site.command(&site.path("other"), &["listen", "."]);
    let other = Service::start(&mut command, &site.path("other.log"));
    let why = || format!("{}\n---\n{}", said(&services), other.said());
    eventually("the other one has all partitions", why, || {
        other.said().contains("partitions=4")
    });
    eventually("it has done what was told of", why, || values(&site) == 5.0);
    services[0].signal(Signal::SIGCONT);
    eventually("they share the partitions", why, || {
        other.said().contains("partitions=2")
    });
    (6..=12).for_each(|run| site.announce("migration_complete", run));
    eventually("all is there", why, || values(&site) == 12.0);
    let once = (1..=12).map(|run| (run, 1)).collect();
    assert_eq!(evaluations(&site), once, "{}", why());
}
