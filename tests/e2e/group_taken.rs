//! A group that others take part in: by mistake another program, or a second listener under the same static name.

use std::collections::BTreeSet;
use std::process::Command;

use runledger_tests::{Kafka, Service, Site, eventually, python, script};

const CONTEXT: &str =
    "from damnit_ctx import Variable\n\n@Variable()\ndef one(run):\n    return 1\n";

fn runs(site: &Site) -> BTreeSet<u32> {
    let table = site.table();
    let mut rows = table.prepare("SELECT run FROM run_info").expect("the runs");
    let runs = rows
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect);
    runs.expect("numbers")
}

fn shared(site: &Site, more: &str) {
    site.configure(
        "[notifications]\n",
        "[notifications]\ngroup_id = \"shared\"\n",
    );
    let head = "[notifications.properties]\n";
    site.configure(head, &format!("{head}{more}"));
}

/// The facility tells of one run on each partition.
fn announce(site: &Site, runs: std::ops::RangeInclusive<u32>) {
    let mut announcer = site.facility_announces(runs, std::time::Duration::ZERO);
    assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
}

/// Another program in the same group.
fn stranger(site: &Site, more: &[&str]) -> Service {
    let mut stranger = Command::new(python());
    stranger
        .arg(script("member.py"))
        .args([&site.broker_address, "test.runs", "shared"]);
    Service::start(stranger.args(more), &site.path("stranger.log"))
}

#[test]
fn a_group_whose_way_of_sharing_is_another_is_told_of_and_joined_when_it_is_free() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    shared(&site, "");
    let mut stranger = stranger(&site, &["sticky"]);
    let theirs = || stranger.said();
    eventually("the stranger has all partitions", theirs, || {
        theirs().contains("partitions 4")
    });
    let listener = site.service(&["listen", "."]);
    let said = || listener.said();
    eventually("the listener says why it cannot join", said, || {
        said().contains("something is wrong") && said().contains("nconsistent group protocol")
    });
    stranger.kill();
    announce(&site, 1..=4);
    eventually("it has joined", said, || said().contains("partitions=4"));
    let all = || runs(&site).union(&taken(&stranger)).count() == 4;
    eventually("all are handled", said, all);
}

/// The runs whose messages came to the stranger.
fn taken(stranger: &Service) -> BTreeSet<u32> {
    let of = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["run"].as_u64();
    let said = stranger.said();
    let runs = said.lines().filter_map(of);
    runs.map(|run| u32::try_from(run).expect("a run")).collect()
}

#[test]
fn another_program_in_the_group_is_named_and_what_it_leaves_is_handled() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    shared(&site, "");
    let listener = site.service(&["listen", "."]);
    let said = || listener.said();
    eventually("it has all partitions", said, || {
        said().contains("partitions=4")
    });
    let mut stranger = stranger(&site, &[]);
    let both = || format!("{}\n---\n{}", listener.said(), stranger.said());
    eventually("they share the partitions", both, || {
        said().contains("partitions=2") && stranger.said().contains("partitions 2")
    });
    eventually("it is named", both, || {
        said().contains("another program is in the group: kafka-python")
    });
    announce(&site, 1..=8);
    eventually("each message came to one of them", both, || {
        runs(&site).union(&taken(&stranger)).count() == 8
    });
    assert!(runs(&site).is_disjoint(&taken(&stranger)), "{}", both());
    stranger.kill();
    announce(&site, 9..=12);
    eventually("all of the later ones come to the listener", said, || {
        (9..=12).all(|run| runs(&site).contains(&run))
    });
    eventually("that it is alone is said", said, || {
        said().contains("nobody else is in the group any more")
    });
}

#[test]
fn a_listener_whose_static_name_another_takes_says_so_and_ends() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    shared(&site, "\"group.instance.id\" = \"the-listener\"\n");
    let mut first = site.service(&["listen", "."]);
    let said = || first.said();
    eventually("it has all partitions", said, || {
        said().contains("partitions=4")
    });
    let other = site.path("other");
    std::fs::create_dir(&other).expect("a folder");
    site.watch_from(&other);
    let mut command = site.command(&other, &["listen", "."]);
    let second = Service::start(&mut command, &site.path("other.log"));
    assert_eq!(first.end(), Some(1), "{}", first.said());
    assert!(first.said().contains("fenced"), "{}", first.said());
    announce(&site, 1..=4);
    eventually(
        "the other one does it all",
        || second.said(),
        || runs(&site).len() == 4,
    );
}

#[test]
fn a_broker_that_does_not_know_the_protocol_that_is_set_is_told_of() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    // The newer protocol leaves that to the broker.
    site.configure("\"session.timeout.ms\" = \"6000\"\n", "");
    shared(&site, "\"group.protocol\" = \"consumer\"\n");
    let listener = site.service(&["listen", "."]);
    let said = || listener.said();
    eventually("it says what to look for", said, || {
        said().contains("Does it know the group.protocol")
    });
    assert!(!said().contains("joined the group"), "{}", said());
}
