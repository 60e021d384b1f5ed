//! What may become of topics, and what may be on them: missing, made anew, emptied by the broker; messages that are no
//! notifications, of any size and of any time. What can be handled is, once; of the rest it is said what it was.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use runledger_context::run::RunId;
use runledger_listener::kafka::{Producer, ProducerSettings, Properties};
use runledger_listener::ledger::Ledger;
use runledger_listener::publisher::{Publisher, PublisherSettings};
use runledger_listener::updates::{FILE_SUBMISSIONS, Update};
use runledger_tests::{Finished, Kafka, Service, Site, eventually, monitor_address, numbers};

const CONTEXT: &str = "
from damnit_ctx import Variable

@Variable()
def energy(run):
    return 1.5

@Variable(data='proc')
def corrected(run):
    return 2.5
";

/// Topics do not come into being by being used.
const STRICT: [&str; 2] = ["--set", "auto.create.topics.enable=false"];

/// A site that hears of runs on these topics, and soon of topics that come into being.
fn hearing(kafka: &Kafka, topics: &str) -> Site {
    let site = Site::over(kafka).watching(CONTEXT);
    site.configure("topics = [\"test.runs\"]", &format!("topics = [{topics}]"));
    let head = "[notifications.properties]\n";
    site.configure(
        head,
        &format!("{head}\"topic.metadata.refresh.interval.ms\" = \"500\"\n"),
    );
    site
}

fn announce(site: &Site, topic: &str, runs: impl IntoIterator<Item = u32>) {
    for run in runs {
        let told = format!(r#"{{"event": "migration_complete", "proposal": 1234, "run": {run}}}"#);
        site.notify_on(topic, &told);
    }
}

fn runs(site: &Site) -> BTreeSet<u32> {
    let table = site.table();
    let mut rows = table.prepare("SELECT run FROM run_info").expect("the runs");
    let runs = rows
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect);
    runs.expect("numbers")
}

#[track_caller]
fn are_there(site: &Site, listener: &Service, expected: impl IntoIterator<Item = u32>) {
    let expected: BTreeSet<u32> = expected.into_iter().collect();
    let why = || format!("{:?}\n{}", runs(site), listener.said());
    eventually("these runs are there", why, || runs(site) == expected);
}

#[test]
fn a_topic_that_is_not_there_is_named_and_holds_nothing_else_up_until_it_is() {
    let Some(kafka) = Kafka::start(&STRICT) else {
        return;
    };
    let site = hearing(&kafka, "\"test.runs\", \"test.later\"");
    let listener = site.service(&["listen", "."]);
    let combiner = site.service(&["combiner", "run"]);
    let why = || format!("{}\n---\n{}", listener.said(), combiner.said());
    eventually("it is named", why, || {
        let said = listener.said();
        said.contains("a topic cannot be had there yet") && said.contains("test.later")
    });
    announce(&site, "test.runs", [1]);
    let value = "SELECT value FROM run_variables WHERE name = 'energy'";
    eventually("the run is in the table", why, || {
        site.number(value) == Some(1.5)
    });
    // The database's own topic is not there either: what goes there waits, and nothing else.
    let waiting = || {
        Ledger::open(&site.db())
            .and_then(|ledger| ledger.waiting_messages())
            .expect("the outbox")
    };
    eventually("updates wait", why, || !waiting().is_empty());
    eventually("the fragment was announced", why, || {
        waiting()
            .iter()
            .all(|message| message.topic != FILE_SUBMISSIONS)
    });
    let topic = waiting().swap_remove(0).topic;
    kafka.administer(&["make", "test.later", "1"]);
    kafka.administer(&["make", &topic, "1"]);
    announce(&site, "test.later", [2]);
    are_there(&site, &listener, [1, 2]);
    eventually("nothing waits any more", why, || waiting().is_empty());
    let arguments = [&site.broker_address, &topic, "--until-values", "2"];
    let heard = site.python("follow_updates.py", &arguments.map(AsRef::as_ref));
    assert_eq!(heard.code, Some(0), "{}\n{}", heard.stdout, why());
}

fn make_anew(kafka: &Kafka, topic: &str, partitions: &str) {
    kafka.administer(&["remove", topic]);
    kafka.administer(&["make", topic, partitions]);
}

/// Listens from now on, in a group of this name.
fn from_now_on(site: &Site, group: &str) -> Service {
    site.configure(
        "start_from = \"earliest\"",
        &format!("start_from = \"now\"\ngroup_id = \"{group}\""),
    );
    let listener = site.service(&["listen", "."]);
    has_joined(&listener);
    listener
}

fn has_joined(listener: &Service) {
    let said = || listener.said();
    eventually("it is in its group", said, || {
        said().contains("joined the group")
    });
}

/// Each of so many runs has had one job, also the last one, whose row is there before that.
#[track_caller]
fn had_one_job_each(site: &Site, listener: &Service, runs: usize) {
    let jobs = || {
        let jobs = Ledger::open(&site.db()).and_then(|ledger| ledger.jobs());
        jobs.expect("the jobs").len()
    };
    eventually("all jobs are there", || listener.said(), || jobs() >= runs);
    assert_eq!(jobs(), runs);
}

#[test]
fn a_topic_that_is_removed_and_made_anew_is_read_from_its_beginning() {
    let Some(kafka) = Kafka::start(&STRICT) else {
        return;
    };
    let site = hearing(&kafka, "\"test.remade\"");
    let make_anew = || make_anew(&kafka, "test.remade", "1");
    kafka.administer(&["make", "test.remade", "1"]);
    let mut listener = from_now_on(&site, "remade");
    announce(&site, "test.remade", 1..=3);
    are_there(&site, &listener, 1..=3);
    // More than there were: what comes next in the old topic is in the middle of the new one.
    make_anew();
    announce(&site, "test.remade", 4..=8);
    are_there(&site, &listener, 1..=8);
    // Fewer than there were.
    make_anew();
    announce(&site, "test.remade", [9]);
    are_there(&site, &listener, 1..=9);
    assert_eq!(listener.stop(), Some(0));
    // While nobody listens.
    make_anew();
    announce(&site, "test.remade", 10..=12);
    let listener = site.service(&["listen", "."]);
    are_there(&site, &listener, 1..=12);
    announce(&site, "test.remade", [13]);
    are_there(&site, &listener, 1..=13);
    had_one_job_each(&site, &listener, 13);
}

/// Two listeners of a group that shares in this way, of which the second may come later.
fn of_two(kafka: &Kafka, strategy: &str) -> Site {
    let site = hearing(kafka, "\"test.shared\"");
    let head = "[notifications.properties]\n";
    let strategy = format!("{head}\"partition.assignment.strategy\" = \"{strategy}\"\n");
    site.configure(head, &strategy);
    site.configure("[notifications]\n", "[notifications]\ngroup_id = \"two\"\n");
    let second = site.path("other");
    std::fs::create_dir(&second).expect("a folder");
    site.watch_from(&second);
    kafka.administer(&["make", "test.shared", "2"]);
    site
}

#[test]
fn a_topic_made_anew_is_read_whole_by_who_is_given_more_of_it_just_then() {
    let Some(kafka) = Kafka::start(&STRICT) else {
        return;
    };
    let site = of_two(&kafka, "cooperative-sticky");
    let listener = site.service(&["listen", "."]);
    let mut other = site.listener_in("other");
    let why = || [&listener, &other].map(Service::said).join("\n---\n");
    // One of them may have had both, and has given one back since.
    eventually("they share the group", why, || {
        [&listener, &other]
            .iter()
            .all(|one| one.said().contains("shares the group with"))
    });
    announce(&site, "test.shared", 1..=10);
    are_there(&site, &listener, 1..=10);
    make_anew(&kafka, "test.shared", "2");
    // One of them goes; the other goes on with its own partition, and begins with that one's.
    assert_eq!(other.stop(), Some(0));
    announce(&site, "test.shared", 11..=50);
    are_there(&site, &listener, 1..=50);
    had_one_job_each(&site, &listener, 50);
}

#[test]
fn a_topic_made_anew_whose_leaders_count_anew_is_read_whole_by_those_who_share_it() {
    let Some(kafka) = Kafka::start(&STRICT) else {
        return;
    };
    let site = of_two(&kafka, "range");
    // From now on the topic's partitions have had two leaders, one after the other.
    kafka.kill();
    kafka.start_again();
    let listener = site.service(&["listen", "."]);
    announce(&site, "test.shared", 1..=10);
    are_there(&site, &listener, 1..=10);
    make_anew(&kafka, "test.shared", "2");
    let other = site.listener_in("other");
    announce(&site, "test.shared", 11..=50);
    let why = || [&listener, &other].map(Service::said).join("\n---\n");
    eventually("all runs are there", why, || runs(&site).len() == 50);
    had_one_job_each(&site, &listener, 50);
}

#[test]
fn a_topic_and_a_partition_that_come_into_being_later_are_read_from_their_beginning() {
    let Some(kafka) = Kafka::start(&STRICT) else {
        return;
    };
    let site = hearing(&kafka, "\"test.grown\", \"test.later\"");
    kafka.administer(&["make", "test.grown", "1"]);
    announce(&site, "test.grown", [1]);
    let listener = from_now_on(&site, "later");
    kafka.administer(&["make", "test.later", "1"]);
    announce(&site, "test.later", [2]);
    kafka.administer(&["enlarge", "test.grown", "2"]);
    let told = r#"{"event": "migration_complete", "proposal": 1234, "run": 3}"#;
    kafka.administer(&["send", "test.grown", "1000", told, "1"]);
    are_there(&site, &listener, 2..=3);
}

#[test]
fn now_is_when_the_listener_was_started_however_long_the_broker_was_away() {
    let Some(kafka) = Kafka::start(&STRICT) else {
        return;
    };
    let site = hearing(&kafka, "\"test.now\"");
    site.configure("start_from = \"earliest\"", "start_from = \"now\"");
    kafka.administer(&["make", "test.now", "1"]);
    announce(&site, "test.now", [1]);
    kafka.kill();
    let listener = site.service(&["listen", "."]);
    let said = || listener.said();
    eventually("it looks for the broker", said, || {
        said().contains("does not answer")
    });
    listener.signal(Signal::SIGSTOP);
    kafka.start_again();
    announce(&site, "test.now", [2]);
    listener.signal(Signal::SIGCONT);
    are_there(&site, &listener, [2]);
}

#[test]
fn a_group_that_the_broker_has_forgotten_goes_on_where_it_was() {
    let Some(kafka) = Kafka::start(&STRICT) else {
        return;
    };
    let site = hearing(&kafka, "\"test.known\"");
    kafka.administer(&["make", "test.known", "1"]);
    announce(&site, "test.known", [1]);
    let mut listener = from_now_on(&site, "forgotten");
    announce(&site, "test.known", [2]);
    are_there(&site, &listener, [2]);
    assert_eq!(listener.stop(), Some(0));
    kafka.administer(&["forget", "forgotten"]);
    announce(&site, "test.known", 3..=5);
    let listener = site.service(&["listen", "."]);
    // The first had been sent within the minutes by which clocks may be wrong.
    are_there(&site, &listener, 1..=5);
    had_one_job_each(&site, &listener, 5);
    assert!(
        listener.said().contains("no position of this group"),
        "{}",
        listener.said()
    );
}

#[test]
fn what_the_broker_removed_unread_is_counted_and_the_rest_is_read() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = hearing(&kafka, "\"test.kept\"");
    site.configure(
        "[updates]\n",
        "[monitor]\naddress = \"127.0.0.1:0\"\n[updates]\n",
    );
    kafka.administer(&["make", "test.kept", "1"]);
    let mut listener = site.service(&["listen", "."]);
    announce(&site, "test.kept", 1..=2);
    are_there(&site, &listener, 1..=2);
    assert_eq!(listener.stop(), Some(0));
    announce(&site, "test.kept", 3..=6);
    kafka.administer(&["empty", "test.kept", "0", "4"]);
    let listener = site.service(&["listen", "."]);
    are_there(&site, &listener, [1, 2, 5, 6]);
    assert!(listener.said().contains("missed=2"), "{}", listener.said());
    let monitored = || numbers(&monitor_address(&listener));
    eventually("a monitor reads it", monitored, || {
        monitored().contains("runledger_missed_total 2\n")
    });
    // The same for one that is at work: it cannot read while it is stopped, but for what was under way.
    listener.signal(Signal::SIGSTOP);
    announce(&site, "test.kept", 7..=10);
    kafka.administer(&["empty", "test.kept", "0", "9"]);
    listener.signal(Signal::SIGCONT);
    let said = || listener.said();
    eventually("the last one is read", said, || runs(&site).contains(&10));
    assert_eq!(said().matches("missed=").count(), 2, "{}", said());
    assert!(!runs(&site).contains(&9));
}

/// A message of any bytes.
fn send(site: &Site, topic: &str, payload: &[u8]) {
    let settings = ProducerSettings {
        properties: Properties::from([("message.max.bytes".into(), "100000000".into())]),
        ..ProducerSettings::to(&site.broker_address)
    };
    let producer = Producer::new(&settings).expect("a producer");
    producer.send(0, topic, payload).expect("a message");
    assert!(producer.flush(Duration::from_secs(60)).is_empty());
    let delivered = producer.deliveries();
    assert_eq!(delivered[0].result, Ok(()), "{delivered:?}");
}

/// Topic, partition and offset of each dead letter.
fn dead_letters(site: &Site) -> Vec<(String, u64, u64)> {
    let list = ["listener", "dead-letters", "--json"];
    let listed = Finished::of(&mut site.command(&site.listener(), &list)).succeeded();
    let letters: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).expect("JSON");
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let place = |letter: &serde_json::Value| {
        let topic = letter["topic"].as_str().expect("a text").to_owned();
        (
            topic,
            number(&letter["partition"]),
            number(&letter["offset"]),
        )
    };
    letters.iter().map(place).collect()
}

#[test]
fn whatever_is_on_a_topic_holds_up_nothing_behind_it() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = hearing(&kafka, "\"test.odd\"");
    kafka.administer(&["make", "test.odd", "1", "max.message.bytes=60000000"]);
    // Larger than all limits of a fetch; nothing at all; Avro.
    send(&site, "test.odd", &vec![b'0'; 50_000_000]);
    kafka.administer(&["send", "test.odd", "5", "null"]);
    send(&site, "test.odd", b"\x00\x00\x00\x00\x2a\x02\xf6\xff");
    let of = |event: &str, run: u32| {
        format!(
            r#"{{"event": "{event}", "proposal": "1234", "run": {run}, "more": {{"x": [1e40]}}}}"#
        )
    };
    send(&site, "test.odd", of("coffee", 1).as_bytes());
    for (time, run) in [("1000000000000000000", 1), ("0", 2), ("100000", 3)] {
        let told = of("migration_complete", run);
        kafka.administer(&["send", "test.odd", time, &told]);
    }
    // Corrected before it is migrated, and said twice.
    for event in ["run_corrections_complete", "migration_complete"] {
        for time in ["1000", "1000"] {
            kafka.administer(&["send", "test.odd", time, &of(event, 4)]);
        }
    }
    let listener = site.service(&["listen", "."]);
    are_there(&site, &listener, 1..=4);
    let places: Vec<_> = dead_letters(&site);
    let expected = [0, 1, 2].map(|offset| ("test.odd".to_owned(), 0, offset));
    assert_eq!(places, expected, "{}", listener.said());
    let jobs = Ledger::open(&site.db()).and_then(|ledger| ledger.jobs());
    let mut jobs: Vec<_> = jobs
        .expect("the jobs")
        .iter()
        .map(|entry| (entry.job.run.number.0, entry.job.data.as_str()))
        .collect();
    jobs.sort_unstable();
    let expected = [(1, "raw"), (2, "raw"), (3, "raw"), (4, "proc"), (4, "raw")];
    assert_eq!(jobs, expected, "{}", listener.said());
    // What no calendar has, and what a sender without a clock says, is the time at which it came.
    let added = |run| site.number(&format!("SELECT added_at FROM run_info WHERE run = {run}"));
    let a_while_ago = std::time::UNIX_EPOCH
        .elapsed()
        .expect("a clock")
        .as_secs_f64()
        - 3600.0;
    for run in [1, 2] {
        let added = added(run).expect("a time");
        assert!(
            (a_while_ago..a_while_ago + 7200.0).contains(&added),
            "{added}"
        );
    }
    assert_eq!(added(3), Some(100.0));
}

#[test]
fn news_that_the_broker_finds_too_large_is_told_in_parts() {
    let Some(kafka) = Kafka::start(&["test.damnit.file_submissions"]) else {
        return;
    };
    kafka.administer(&[
        "make",
        "test.damnit.db-small",
        "1",
        "max.message.bytes=100000",
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let settings = PublisherSettings {
        broker: Some(kafka.address.clone()),
        properties: Properties::new(),
    };
    let mut publisher = Publisher::new(&settings).expect("a publisher");
    let names: Vec<String> = (0..8000).map(|n| format!("{n:050}")).collect();
    let values = Update::values(RunId::new(1, 1), names.iter().map(String::as_str));
    publisher
        .publish_lasting(folder.path(), "test.damnit.db-small", &values)
        .expect("the outbox");
    publisher
        .publish_lasting(folder.path(), FILE_SUBMISSIONS, &values)
        .expect("the outbox");
    let waiting = || Ledger::open(folder.path()).and_then(|ledger| ledger.waiting_messages());
    eventually(
        "all is told",
        || format!("{:?}", waiting().map(|all| all.len())),
        {
            let publisher = std::cell::RefCell::new(publisher);
            move || {
                publisher.borrow_mut().advance();
                waiting().expect("the outbox").is_empty()
            }
        },
    );
    let site = Site::quiet();
    for (topic, parts) in [("test.damnit.db-small", 8), (FILE_SUBMISSIONS, 1)] {
        let parts = parts.to_string();
        let arguments = [&kafka.address, topic, "--messages", &parts];
        let heard = site.python("follow_updates.py", &arguments.map(AsRef::as_ref));
        let lengths: Vec<usize> = heard.stdout.lines().map(str::len).collect();
        assert_eq!(heard.code, Some(0), "{topic}: {lengths:?}");
        assert!(
            names
                .iter()
                .all(|name| heard.stdout.contains(name.as_str())),
            "{topic}"
        );
    }
}
