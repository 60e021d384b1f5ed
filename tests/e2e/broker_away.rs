//! A broker that is away for minutes, longer than the library keeps what it could not deliver.

use std::thread;
use std::time::Duration;

use runledger_tests::{Kafka, Site, WRITES_DOWN, evaluations, eventually};

/// Longer than any time after which the library closes a connection that is idle or looks for another broker.
const AWAY: Duration = Duration::from_secs(130);
/// After this time the library gives a message up: five minutes, unless it is told otherwise.
const GIVEN_UP: &str = "[updates.properties]\n\"message.timeout.ms\" = \"30000\"\n";

#[test]
fn a_broker_that_is_away_for_minutes_costs_nothing() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(WRITES_DOWN);
    site.configure("[updates.properties]\n", GIVEN_UP);
    let raw = |run| format!("data/SPB/202602/p001234/raw/r{run:04}");
    (2..=4).for_each(|run| std::fs::create_dir_all(site.path(&raw(run))).expect("a folder"));
    let services = [
        site.service(&["listen", "."]),
        site.service(&["combiner", "run"]),
    ];
    let why = || services.each_ref().map(|one| one.said()).join("\n---\n");
    let values = || site.number("SELECT count(*) FROM run_variables WHERE name='energy'");
    site.announce("migration_complete", 1);
    eventually("the first run is there", why, || values() == Some(1.0));
    kafka.kill();
    // What is done meanwhile has nobody to tell, at once and again and again.
    site.run(&["reprocess", "2", "--direct"]).succeeded();
    thread::sleep(AWAY / 2);
    site.run(&["reprocess", "3", "4", "--direct"]).succeeded();
    thread::sleep(AWAY / 2);
    // A service says once that the broker is gone, for reading and for telling each.
    for service in &services {
        let said = service.said();
        assert!(said.matches("does not answer").count() <= 2, "{said}");
    }
    kafka.start_again();
    site.announce("migration_complete", 5);
    eventually("all runs are there", why, || values() == Some(5.0));
    let identity = site.text("SELECT value FROM metameta WHERE key='db_id'");
    let topic = format!("test.damnit.db-{}", identity.expect("an identity"));
    let arguments = [&site.broker_address, &topic, "--until-values", "5"];
    let heard = site.python("follow_updates.py", &arguments.map(AsRef::as_ref));
    assert_eq!(heard.code, Some(0), "{}\n{}", heard.stdout, why());
    let once = (1..=5).map(|run| (run, 1)).collect();
    assert_eq!(evaluations(&site), once, "{}", why());
    for service in &services {
        let said = service.said();
        assert!(said.contains("answers again"), "{said}");
    }
}
