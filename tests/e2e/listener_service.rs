//! The listener as an operator has it: signals, a service manager, and a log that programs read.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use runledger_tests::{Finished, Service, Site, eventually, monitor_address, numbers};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

const CONTEXT: &str =
    "from damnit_ctx import Variable\n\n@Variable()\ndef one(run):\n    return 1\n";
/// A supervisor may kill what takes longer.
const AT_MOST: Duration = Duration::from_secs(5);

fn watching(site: Site) -> Site {
    site.init(CONTEXT);
    watch(&site, "db", 1234);
    site
}

fn watch(site: &Site, folder: &str, proposal: u32) {
    let (dir, proposal) = (site.path(folder), proposal.to_string());
    let mut add = site.command(&site.listener(), &["listener", "add", &proposal]);
    Finished::of(add.arg(dir)).succeeded();
}

fn locked(file: std::path::PathBuf) -> Connection {
    let blocker = Connection::open(file).expect("a database");
    blocker.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    blocker
}

fn rows(site: &Site) -> Option<f64> {
    site.number("SELECT count(*) FROM run_info")
}

fn stops_in_time(listener: &mut Service) {
    let asked = Instant::now();
    assert_eq!(listener.stop(), Some(0), "{}", listener.said());
    let took = asked.elapsed();
    assert!(took < AT_MOST, "{took:?}\n{}", listener.said());
}

#[test]
fn an_idle_listener_whose_broker_is_away_stops_in_time() {
    let site = watching(Site::quiet());
    let mut listener = site.service(&["listen", "."]);
    eventually(
        "it is ready",
        || listener.said(),
        || listener.said().contains("ready"),
    );
    stops_in_time(&mut listener);
}

/// It sleeps until both signals are there, so that the first cannot have ended it before the second comes.
#[test]
fn a_second_signal_ends_the_listener_at_once() {
    let site = watching(Site::quiet());
    let mut listener = site.service(&["listen", "."]);
    let is_ready = || listener.said().contains("ready");
    eventually("it is ready", || listener.said(), is_ready);
    for signal in [
        Signal::SIGSTOP,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGCONT,
    ] {
        listener.signal(signal);
    }
    assert_eq!(listener.end(), None, "{}", listener.said());
}

#[test]
fn a_listener_in_a_burst_with_its_databases_locked_stops_in_time_and_loses_nothing() {
    let site = watching(Site::with_broker());
    let table = locked(site.path("db/runs.sqlite"));
    let burst = (1..=300)
        .map(|run| format!(r#"{{"event": "migration_complete", "proposal": 1234, "run": {run}}}"#));
    site.notify_all(burst);
    let mut listener = site.service(&["listen", "."]);
    eventually(
        "it has met the lock",
        || listener.said(),
        || listener.said().contains("waits for its next try"),
    );
    let inbox = locked(site.listener().join("listener.sqlite"));
    stops_in_time(&mut listener);
    drop((table, inbox));
    let listener = site.service(&["listen", "."]);
    eventually(
        "all runs are there",
        || listener.said(),
        || rows(&site) == Some(300.0),
    );
}

#[test]
fn on_sighup_the_listener_goes_on_with_new_topics_and_refuses_what_is_wrong_by_name() {
    let site = watching(Site::with_broker());
    let listener = site.service(&["listen", "."]);
    site.announce("migration_complete", 1);
    eventually(
        "the first run",
        || listener.said(),
        || rows(&site) == Some(1.0),
    );

    site.configure("[updates]", "[updats]\nx = 1\n[updates]");
    listener.signal(Signal::SIGHUP);
    eventually(
        "the wrong section is named",
        || listener.said(),
        || listener.said().contains("updats"),
    );
    let said = listener.said();
    let refusal = said.lines().find(|line| line.contains("the settings stay"));
    assert!(
        refusal.is_some_and(|line| line.contains("updats")),
        "{said}"
    );
    site.announce("migration_complete", 2);
    eventually(
        "the old settings are in force",
        || listener.said(),
        || rows(&site) == Some(2.0),
    );

    site.configure("[updats]\nx = 1\n", "");
    site.configure(
        "topics = [\"test.runs\"]",
        "topics = [\"test.runs\", \"test.more\"]",
    );
    site.configure("run_corrections_complete", "finished");
    site.notify_on("test.more", "made by its first message");
    listener.signal(Signal::SIGHUP);
    eventually(
        "the new settings are in force",
        || listener.said(),
        || listener.said().contains("the new settings are in force"),
    );
    site.announce("finished", 3);
    site.notify_on(
        "test.more",
        r#"{"event": "finished", "proposal": 1234, "run": 4}"#,
    );
    eventually(
        "both topics are heard",
        || listener.said(),
        || rows(&site) == Some(4.0),
    );
}

/// Runs until it is let go.
const WAITING: &str = r#"
import os, time
from damnit_ctx import Variable

@Variable()
def one(run):
    open(f"at-{run['run']}", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.05)
    return 1
"#;

#[test]
fn on_sighup_the_listener_takes_other_limits_for_jobs_and_says_what_waits_for_a_restart() {
    let site = Site::with_broker().watching(WAITING);
    site.configure("local_limit = 2", "local_limit = 1");
    let listener = site.service(&["listen", "."]);
    (1..=3).for_each(|run| site.announce("migration_complete", run));
    let at_work = || {
        let begun = (1..=3).filter(|run| site.db().join(format!("at-{run}")).exists());
        begun.count()
    };
    let said = || listener.said();
    let is_known = || rows(&site) == Some(3.0) && at_work() > 0;
    eventually("one has begun, and all are planned", said, is_known);
    // Both let one job run only; neither is enough alone.
    site.configure("local_limit = 1", "local_limit = 2\nmax_running = 1");
    listener.signal(Signal::SIGHUP);
    let times = |times| said().matches("the new settings are in force").count() == times;
    eventually("the settings are in force", said, || times(1));
    assert_eq!(at_work(), 1, "{}", said());
    site.configure("max_running = 1", "max_running = 2\nretries = 1");
    listener.signal(Signal::SIGHUP);
    eventually("a second one has begun", said, || at_work() == 2);
    assert!(!said().contains("restart"), "{}", said());

    site.configure("queue = \"local\"", "queue = \"slurm\"");
    site.configure("[data]", "[slurm]\nevery = \"5s\"\n[data]");
    site.configure("local_limit = 2", "local_limit = 3");
    site.configure("max_running = 2", "max_running = 3");
    listener.signal(Signal::SIGHUP);
    eventually("a third one has begun, here", said, || at_work() == 3);
    for name in ["`jobs.queue` has changed", "`[slurm]` has changed"] {
        assert!(said().contains(name), "{}", said());
    }
    std::fs::write(site.db().join("go"), "").expect("a file");
    let values = "SELECT count(*) FROM run_variables";
    let _combiner = site.service(&["combiner", "run"]);
    eventually("all have finished", said, || {
        site.number(values) == Some(3.0)
    });
}

#[test]
fn on_sighup_the_numbers_for_a_monitor_move_and_stay_where_they_were_if_they_cannot() {
    let site = watching(Site::with_broker());
    let listener = site.service(&["listen", "."]);
    let said = || listener.said();
    let is_ready = || said().contains("the listener is ready");
    eventually("it is ready", said, is_ready);

    site.configure(
        "[updates]\n",
        "[monitor]\naddress = \"127.0.0.1:0\"\n[updates]\n",
    );
    listener.signal(Signal::SIGHUP);
    assert!(numbers(&monitor_address(&listener)).contains("runledger_inbox 0"));
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("its address").to_string();
    site.configure("127.0.0.1:0", &taken);
    listener.signal(Signal::SIGHUP);
    let stays = format!("stay where they were: the monitor's address {taken}");
    eventually("the address is named", said, || said().contains(&stays));
    let first = monitor_address(&listener);
    assert!(numbers(&first).contains("runledger_inbox 0"));
    site.configure(&taken, "127.0.0.2:0");
    listener.signal(Signal::SIGHUP);
    eventually("they have moved", said, || {
        monitor_address(&listener).starts_with("127.0.0.2:")
    });
    assert!(numbers(&monitor_address(&listener)).contains("runledger_inbox 0"));
    assert!(TcpStream::connect(&first).is_err());
}

#[test]
fn a_service_manager_hears_that_the_listener_is_ready_goes_on_reloads_and_stops() {
    let site = watching(Site::with_broker());
    let socket = site.path("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket in a temporary folder");
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a time limit");
    let mut command = site.command(&site.listener(), &["listen", "."]);
    command
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "200000");
    let mut listener = Service::start(&mut command, &site.path("listen.log"));
    hears(&manager, &["READY=1"]);
    hears(&manager, &["WATCHDOG=1", "STATUS="]);
    hears(&manager, &["WATCHDOG=1"]);
    listener.signal(Signal::SIGHUP);
    hears(&manager, &["RELOADING=1", "MONOTONIC_USEC="]);
    hears(&manager, &["READY=1"]);
    stops_in_time(&mut listener);
    hears(&manager, &["STOPPING=1"]);
}

/// Some message to the service manager has all of these words.
fn hears(manager: &UnixDatagram, words: &[&str]) {
    let mut buffer = [0; 4096];
    loop {
        let length = manager
            .recv(&mut buffer)
            .unwrap_or_else(|e| panic!("no {words:?}: {e}"));
        let message = String::from_utf8_lossy(&buffer[..length]);
        if words.iter().all(|word| message.contains(word)) {
            return;
        }
    }
}

#[test]
fn the_combiner_tells_a_service_manager_too() {
    let site = Site::with_broker();
    let socket = site.path("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket in a temporary folder");
    let mut command = site.command(&site.listener(), &["combiner", "run"]);
    command.env("NOTIFY_SOCKET", &socket);
    let mut combiner = Service::start(&mut command, &site.path("combiner.log"));
    hears(&manager, &["READY=1", "STATUS="]);
    assert_eq!(combiner.stop(), Some(0));
    hears(&manager, &["STOPPING=1"]);
}

#[test]
fn the_log_is_json_for_programs_with_proposal_and_run_of_each_event_as_fields() {
    let site = Site::with_broker().watching(CONTEXT);
    let merging = ["--log-format", "json", "combiner", "run"];
    let mut combiner = Service::start(
        &mut site.command(&site.listener(), &merging),
        &site.path("combiner.log"),
    );
    let mut listener = site.service(&["--log-format", "json", "listen", "."]);
    site.announce("migration_complete", 7);
    eventually(
        "the run is there",
        || listener.said(),
        || rows(&site) == Some(1.0),
    );
    eventually(
        "its job has ended",
        || listener.said(),
        || listener.said().contains("job ended"),
    );
    // Nobody can read its context file: it fails.
    site.write("db/context.py", "import nothing_of_that_name\n");
    site.announce("migration_complete", 8);
    eventually(
        "the other job has failed",
        || listener.said(),
        || listener.said().matches("job ended").count() == 2,
    );
    eventually(
        "the first one is merged",
        || combiner.said(),
        || combiner.said().contains("merged"),
    );
    assert_eq!(listener.stop(), Some(0), "{}", listener.said());
    assert_eq!(combiner.stop(), Some(0), "{}", combiner.said());
    let file = std::fs::read_to_string(site.listener().join("damnit.log")).expect("the log");
    for log in [file, listener.said()] {
        for event in ["job planned", "job submitted", "job ended"] {
            assert_eq!(lines_of(&log, event, 7).len(), 1, "{event}: {log}");
        }
        assert_eq!(lines_of(&log, "job ended", 7)[0]["state"], "finished");
        let failed = &lines_of(&log, "job ended", 8)[0];
        assert_eq!(
            (&failed["level"], &failed["state"]),
            (&"WARN".into(), &"failed".into())
        );
        let why = failed["reason"].as_str().expect("a reason");
        assert!(why.contains("nothing_of_that_name"), "{why}");
    }
    assert_eq!(
        lines_of(&combiner.said(), "merged", 7).len(),
        1,
        "{}",
        combiner.said()
    );
}

/// The lines of a log about one event of a run of proposal 1234; all lines are JSON.
fn lines_of(log: &str, event: &str, run: u32) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    let is_it =
        |line: &Value| line["message"] == event && line["proposal"] == 1234 && line["run"] == run;
    log.lines().map(read).filter(is_it).collect()
}

#[test]
fn a_monitor_reads_what_waits_and_what_was_done_and_one_that_hangs_holds_nothing_up() {
    let site = watching(Site::with_broker());
    site.init_in("held", "77", CONTEXT);
    watch(&site, "held", 77);
    site.configure(
        "[updates]\n",
        "[monitor]\naddress = \"127.0.0.1:0\"\n[updates]\n",
    );
    let table = locked(site.path("held/runs.sqlite"));
    let listener = site.service(&["listen", "."]);
    let address = monitor_address(&listener);
    let mut hanging = TcpStream::connect(&address).expect("the monitor's address");
    hanging.write_all(b"GET /met").expect("half a question");
    site.notify("nonsense");
    site.notify(r#"{"event": "migration_complete", "proposal": 77, "run": 1}"#);
    site.announce("migration_complete", 7);
    eventually(
        "the run is there",
        || listener.said(),
        || rows(&site) == Some(1.0),
    );
    for number in [
        "runledger_consumer_lag{topic=\"test.runs\",partition=\"0\"} 0\n",
        "runledger_events_total{followed=\"job\"} 1\n",
        "runledger_retries_total{reason=\"locked\"} ",
        "runledger_dead_letters 1\n",
        "runledger_inbox 1\n",
        "runledger_jobs{state=\"running\"} 0\n",
    ] {
        eventually(
            number,
            || numbers(&address),
            || numbers(&address).contains(number),
        );
    }
    drop(table);
    eventually(
        "nothing waits any more",
        || numbers(&address),
        || numbers(&address).contains("runledger_inbox 0\n"),
    );
}

#[test]
fn what_waits_and_what_is_dead_is_listed_and_dead_letters_are_heard_again_once_they_make_sense() {
    let site = watching(Site::with_broker());
    let table = locked(site.path("db/runs.sqlite"));
    let mut listener = site.service(&["listen", "."]);
    site.notify(r#"{"event": "finished", "proposal": 1234, "run": -3}"#);
    site.notify(r#"{"event": "migration_complete", "proposal": 1234, "run": "x"}"#);
    site.announce("migration_complete", 7);
    let list = |what: &str| -> Value {
        let mut command = site.command(&site.listener(), &["listener", what, "--json"]);
        serde_json::from_str(&Finished::of(&mut command).succeeded().stdout).expect("JSON")
    };
    let reason = |at: &Value| at["last_error"].as_str().map(str::to_owned);
    eventually(
        "it says what it waits for",
        || listener.said(),
        || reason(&list("inbox")[0]).is_some_and(|why| why.contains("locked")),
    );
    assert_eq!(list("inbox").as_array().map(Vec::len), Some(1));
    let dead = list("dead-letters");
    assert_eq!(
        (dead.as_array().map(Vec::len), &dead[0]["offset"]),
        (Some(1), &Value::from(1))
    );
    drop(table);
    eventually(
        "the run is there",
        || listener.said(),
        || rows(&site) == Some(1.0),
    );
    assert_eq!(listener.stop(), Some(0));

    // A person mends the message; the listener takes it from there.
    let inbox = Connection::open(site.listener().join("listener.sqlite")).expect("the inbox");
    let mended = r#"{"event": "migration_complete", "proposal": 1234, "run": 8}"#;
    let mend = "UPDATE dead_letters SET payload = CAST(?1 AS BLOB)";
    assert_eq!(inbox.execute(mend, [mended]).ok(), Some(1));
    let replay = ["listener", "dead-letters", "--replay", "all"];
    Finished::of(&mut site.command(&site.listener(), &replay)).succeeded();
    let listener = site.service(&["listen", "."]);
    eventually(
        "the second run is there",
        || listener.said(),
        || rows(&site) == Some(2.0),
    );
}

#[test]
fn an_idle_listener_is_small_and_stays_so_after_many_events() {
    const EVENTS: u32 = 20_000;
    let site = Site::with_broker();
    let listener = site.service(&["--quiet", "listen", "."]);
    let inbox = || {
        let path = site.listener().join("listener.sqlite");
        let handled = "SELECT count(*) FROM inbox WHERE done_at IS NOT NULL";
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        db.query_row(handled, [], |row| row.get::<_, u32>(0)).ok()
    };
    eventually("it listens", || listener.said(), || inbox() == Some(0));
    assert!(
        listener.resident_memory() < 25,
        "{} MB",
        listener.resident_memory()
    );
    site.notify_all(
        (1..=EVENTS).map(|run| {
            format!(r#"{{"event": "migration_complete", "proposal": 77, "run": {run}}}"#)
        }),
    );
    eventually(
        "all are handled",
        || listener.said(),
        || inbox() == Some(EVENTS),
    );
    assert!(
        listener.resident_memory() < 40,
        "{} MB",
        listener.resident_memory()
    );
}

#[test]
fn a_listener_that_is_given_nothing_yet_says_what_it_waits_for() {
    let site = watching(Site::with_broker());
    // The broker waits some seconds for further members; the library is to tell of it before that is over.
    let often = "\"statistics.interval.ms\" = \"500\"\n[updates]\n";
    site.configure("[updates]\n", often);
    let listener = site.service(&["listen", "."]);
    let why = || listener.said();
    eventually("it has joined", why, || why().contains(" joined the group"));
    let said = why();
    let waits = said.find("waiting to join the group").expect(&said);
    assert!(Some(waits) < said.find(" joined the group"), "{said}");
}

#[test]
fn a_broker_that_is_away_is_told_once_for_each_use_with_the_reason() {
    let site = watching(Site::quiet());
    let mut listen = site.command(&site.listener(), &["listen", "."]);
    let listener = Service::start(
        listen.env("AMORE_BROKER", "localhost:1"),
        &site.path("listen.log"),
    );
    let why = || listener.said();
    for words in ["nothing is read", "nothing is published"] {
        eventually(words, why, || why().contains(words));
    }
    let said = why();
    assert_eq!(said.matches("does not answer").count(), 2, "{said}");
    assert_eq!(said.matches("Connection refused").count(), 2, "{said}");
}
