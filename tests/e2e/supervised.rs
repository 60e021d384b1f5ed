//! The listener under supervisord: `listen --daemonize`, and what an operator then does with it.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_tests::{Finished, Site, Supervised, eventually, runledger};

const CONTEXT: &str = r#"
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run):
    return 1.5
"#;

/// Waits for a file that the test makes, so that the job is under way as long as the test wants.
const SLOW_CONTEXT: &str = r#"
import os, pathlib, time
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run):
    pathlib.Path("begun").touch()
    while not os.path.exists("go on"):
        time.sleep(0.02)
    return 1.5
"#;

const EVALUATED: &str = "SELECT count(*) FROM run_variables WHERE name='energy' AND value=1.5";

fn facility(context: &str) -> Site {
    Site::with_broker().watching(context)
}

#[test]
fn supervisorctl_answers_as_documented_and_starting_again_is_harmless() {
    let site = facility(CONTEXT);
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    let status = supervised.control(&["status", "damnit"]).succeeded();
    assert!(status.stdout.contains("RUNNING"), "{}", status.stdout);
    let first = supervised.listener_pid();
    let again = supervised.daemonize().succeeded();
    assert!(again.stdout.contains("runs already"), "{}", again.stdout);
    assert_eq!(supervised.listener_pid(), first);

    supervised.control(&["restart", "damnit"]).succeeded();
    let second = supervised.listener_pid();
    assert!(second.is_some() && second != first);

    supervised.control(&["stop", "damnit"]).succeeded();
    let stopped = supervised.control(&["status", "damnit"]);
    assert_eq!(stopped.code, Some(3), "{}", stopped.stdout);
    let diary = std::fs::read_to_string(site.listener().join("supervisord.log"));
    let diary = diary.expect("supervisord's log");
    assert!(diary.contains("stopped: damnit (exit status 0)"), "{diary}");
    supervised.daemonize().succeeded();
    assert!(supervised.listener_pid().is_some());

    supervised.control(&["shutdown"]).succeeded();
    eventually(
        "supervisord ends",
        || supervised.log(),
        || supervised.control(&["status", "damnit"]).code == Some(4),
    );
    supervised.daemonize().succeeded();
    assert!(supervised.listener_pid().is_some());
}

/// The addresses that a process listens on, in the kernel's hexadecimal digits.
fn listening(pid: i32) -> Vec<String> {
    let sockets = Finished::of(Command::new("ls").args(["-l", &format!("/proc/{pid}/fd")]));
    let table = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| std::fs::read_to_string(path).unwrap_or_default())
        .concat();
    let rows = table
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| {
        row.get(3) == Some(&"0A") && sockets.stdout.contains(&format!("socket:[{}]", row[9]))
    })
    .map(|row| row[1].to_owned())
    .collect()
}

#[test]
fn nobody_else_reaches_supervisord_or_reads_its_password() {
    let site = facility(CONTEXT);
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    let mode = supervised
        .conf()
        .metadata()
        .expect("the file")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(supervised.conf()).expect("the file");
    let password = text.lines().find_map(|l| l.strip_prefix("password="));
    let password = password.expect("a password");
    assert!(password.len() >= 32, "{password}");
    let processes = Finished::of(Command::new("ps").args(["axeww", "-o", "args"])).succeeded();
    assert!(processes.stdout.contains("supervisord"));
    assert!(!processes.stdout.contains(password));
    let addresses = listening(supervised.pid().expect("supervisord"));
    assert!(!addresses.is_empty());
    for address in addresses {
        assert!(address.starts_with("0100007F:"), "{address}");
    }
    let listener = listening(supervised.listener_pid().expect("the listener"));
    assert_eq!(listener, Vec::<String>::new());
}

#[test]
fn a_listener_that_is_killed_again_and_again_is_started_again_and_loses_nothing() {
    let site = facility(CONTEXT);
    let combiner = site.service(&["combiner", "run"]);
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    let why = || format!("{}\n{}", supervised.log(), combiner.said());
    let mut last = None;
    for round in 0..3 {
        site.announce("migration_complete", 2 * round + 1);
        eventually("there is a new listener", why, || {
            let pid = supervised.listener_pid();
            pid.is_some() && pid != last
        });
        last = supervised.listener_pid();
        kill(Pid::from_raw(last.expect("a process")), Signal::SIGKILL).expect("it is ours");
        site.announce("migration_complete", 2 * round + 2);
    }
    eventually("all six runs are in the table", why, || {
        site.number(EVALUATED) == Some(6.0)
    });
}

#[test]
fn a_job_goes_on_while_its_listener_is_stopped() {
    let site = facility(SLOW_CONTEXT);
    let combiner = site.service(&["combiner", "run"]);
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    site.announce("migration_complete", 7);
    let why = || format!("{}\n{}", supervised.log(), site.run_log(7));
    eventually("the job is under way", why, || {
        site.db().join("begun").exists()
    });
    supervised.control(&["stop", "damnit"]).succeeded();
    std::fs::write(site.db().join("go on"), "").expect("a file");
    eventually(
        "its result is in the table",
        || combiner.said(),
        || site.number(EVALUATED) == Some(1.0),
    );
}

#[test]
fn what_keeps_the_listener_from_starting_is_told() {
    let site = facility(CONTEXT);
    let supervised = Supervised::of(&site);
    site.configure("[notifications]", "[notifikations]");
    supervised
        .daemonize()
        .failed(2, &["notifikations", "runledger.toml"]);
    assert!(!supervised.conf().exists());
    site.configure("[notifikations]", "[notifications]");
    let database = site.listener().join("listener.sqlite");
    std::fs::write(
        &database,
        "this is not SQLite, whatever its name says, and longer than a header",
    )
    .expect("a file");
    supervised
        .daemonize()
        .failed(1, &["does not start", "damnit.log", "damnit.out"]);
    let said = std::fs::read_to_string(site.listener().join("damnit.out")).expect("its words");
    assert!(said.contains("listener.sqlite"), "{said}");
}

#[test]
fn without_supervisord_it_says_what_to_install() {
    let site = facility(CONTEXT);
    let mut command = site.command(&site.listener(), &["listen", "--daemonize", "."]);
    let finished = Finished::of(command.env("PATH", "/nonexistent"));
    finished.failed(1, &["supervisorctl", "pip install supervisor", "systemd"]);
}

#[test]
fn the_combiner_can_run_beside_it() {
    let site = facility(CONTEXT);
    let given = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../deploy/supervisord/combiner.conf"
    );
    let given = std::fs::read_to_string(given).expect("the operators' file");
    let here = runledger().display().to_string();
    let added = site.listener().join("supervisord.d");
    std::fs::create_dir(&added).expect("a folder");
    std::fs::write(
        added.join("combiner.conf"),
        given.replace("/usr/local/bin/runledger", &here),
    )
    .expect("a file");
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    site.announce("migration_complete", 7);
    let combiner =
        || std::fs::read_to_string(site.listener().join("combiner.log")).unwrap_or_default();
    eventually("it merges", combiner, || {
        site.number(EVALUATED) == Some(1.0)
    });
    supervised.control(&["restart", "combiner"]).succeeded();
    supervised
        .control(&["status", "combiner", "damnit"])
        .succeeded();
}

#[test]
fn the_listener_logs_as_was_asked_for() {
    let site = facility(CONTEXT);
    let supervised = Supervised::of(&site);
    let asked = ["--log-format", "json", "-v"];
    supervised.daemonize_with(&asked).succeeded();
    let log = supervised.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(!lines.is_empty());
}

#[test]
fn a_listener_that_was_started_by_hand_or_elsewhere_is_named_and_left_alone() {
    let site = facility(CONTEXT);
    let listener = site.service(&["listen", "."]);
    let lock = site.listener().join(".listener.lock");
    let at_work = || std::fs::read_to_string(&lock).is_ok_and(|who| who.contains("process"));
    eventually("it has begun", || listener.said(), at_work);
    let supervised = Supervised::of(&site);
    supervised.daemonize().failed(1, &["at work", "process"]);
    assert!(!supervised.conf().exists());
}

#[test]
fn damnits_own_supervisord_is_not_touched() {
    let site = facility(CONTEXT);
    let supervised = Supervised::of(&site);
    supervised.daemonize().succeeded();
    // The same supervisord, had DAMNIT written its configuration.
    let ours = std::fs::read_to_string(supervised.conf()).expect("the file");
    let (_, rest) = ours.split_once('\n').expect("lines");
    let lines = rest.lines().map(|line| match line.starts_with("command=") {
        true => "command = damnit listen .",
        false => line,
    });
    let damnits = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(supervised.conf(), damnits).expect("the file");
    supervised
        .daemonize()
        .failed(1, &["DAMNIT's own supervisord", "shutdown"]);
    supervised.control(&["shutdown"]).succeeded();
    eventually(
        "supervisord ends",
        || supervised.log(),
        || supervised.control(&["status", "damnit"]).code == Some(4),
    );
    let taken = supervised.daemonize().succeeded();
    assert!(
        taken.stderr.contains("xfel-da-damnit-."),
        "{}",
        taken.stderr
    );
    assert!(site.listener().join("supervisord.conf.old").exists());
}
