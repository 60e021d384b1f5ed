//! `jobs` and `reprocess` on this machine, as users type them.

use nix::sys::signal::Signal;
use runledger_tests::{Clients, Finished, Service, Site, eventually};
use serde_json::Value;

/// Waits as long as there is a file `wait`; run 8 dies while there is a file `die`.
const CONTEXT: &str = r#"
import os, time
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run, n: "meta#run_number"):
    print("evaluating", n)
    if n == 8 and os.path.exists("die"):
        os.kill(os.getppid(), 9)
        time.sleep(60)
    while os.path.exists("wait"):
        time.sleep(0.02)
    return 1.5
"#;

const BROKEN: &str = "from damnit_ctx import Variable\n\n@Variable()\ndef broken(run):\n    raise ValueError('no')\n";

fn database() -> Site {
    let site = Site::quiet();
    site.init(CONTEXT);
    site
}

fn touch(site: &Site, name: &str) {
    std::fs::write(site.db().join(name), "").expect("a file in the database's folder");
}

fn remove(site: &Site, name: &str) {
    std::fs::remove_file(site.db().join(name)).expect("a file in the database's folder");
}

/// The jobs of a database, oldest first.
fn jobs(site: &Site) -> Vec<Value> {
    let said = site.run(&["jobs", "--all", "--json"]).succeeded().stdout;
    let all: Value = serde_json::from_str(&said).expect("JSON");
    all.as_array().expect("a list").clone()
}

fn job(site: &Site, run: u32) -> Value {
    let all = jobs(site).into_iter();
    let mut of_run = all.filter(|job| job["run"] == run);
    of_run.next_back().expect("a job of this run")
}

fn id(site: &Site, run: u32) -> String {
    job(site, run)["id"].as_str().expect("an id").to_owned()
}

fn state(site: &Site, run: u32) -> String {
    job(site, run)["state"]
        .as_str()
        .expect("a state")
        .to_owned()
}

/// Starts `reprocess` and stays until this many of its jobs are under way.
fn begun(site: &Site, arguments: &[&str], count: usize) -> Service {
    touch(site, "wait");
    let all = [&["reprocess", "--mock"], arguments].concat();
    let log = site.path("reprocess.log");
    let service = Service::start(&mut site.command(&site.db(), &all), &log);
    let running = || {
        jobs(site)
            .iter()
            .filter(|job| job["progress"]["variables"] == 1)
            .count()
    };
    eventually("jobs run", || service.said(), || running() == count);
    service
}

#[test]
fn jobs_are_listed_and_shown_with_all_that_is_known_of_them() {
    let site = database();
    let none = site.run(&["jobs"]).succeeded().stdout;
    assert_eq!(none, "No job.\n");
    assert!(!site.db().join("ledger.sqlite").exists());
    site.run(&["reprocess", "7", "9", "--mock"]).succeeded();

    let all = jobs(&site);
    assert_eq!(all.len(), 2);
    let (job, attempt) = (&all[0], &all[0]["attempts"][0]);
    assert_eq!((&job["proposal"], &job["run"]), (&1234.into(), &7.into()));
    assert_eq!(
        (&job["data"], &job["state"]),
        (&"all".into(), &"finished".into())
    );
    assert_eq!((&job["held"], &job["failures"]), (&false.into(), &0.into()));
    assert_eq!(
        job["progress"],
        serde_json::json!({"done": 1, "variables": 1})
    );
    for key in ["message", "next_try"] {
        assert!(job[key].is_null() && job.get(key).is_some(), "{key}");
    }
    assert_eq!(job["request"]["update_variables"], true);
    assert_eq!(all[1]["request"]["update_variables"], false);
    assert!(
        job["submitted_by"]
            .as_str()
            .is_some_and(|who| who.contains('@'))
    );
    assert_eq!(
        (&attempt["queue"], &attempt["number"]),
        (&"local".into(), &1.into())
    );
    assert_eq!(attempt["exit_code"], 0);
    for key in ["cluster", "signal", "peak_memory"] {
        assert!(
            attempt[key].is_null() && attempt.get(key).is_some(),
            "{key}"
        );
    }
    for time in ["submitted_at", "started_at", "ended_at"] {
        assert!(
            attempt[time].as_f64().is_some_and(|time| time > 1e9),
            "{time}"
        );
    }

    let table = site.run(&["jobs"]).succeeded().stdout;
    assert!(!table.contains('\u{1b}'), "{table}");
    let rows: Vec<&str> = table.lines().collect();
    assert!(
        rows[0].starts_with("job") && rows[0].contains("p1234"),
        "{table}"
    );
    assert!(rows[1].contains("r7") && rows[2].contains("r9"), "{table}");
    assert_eq!(rows[3], "2 jobs: 2 finished.");

    let short = &id(&site, 7)[..8];
    let shown = site.run(&["jobs", "show", short]).succeeded().stdout;
    for words in [
        &id(&site, 7),
        "p1234 r7",
        "finished",
        "attempt 1",
        "exit code   0",
        "r7-p1234.out",
    ] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
}

#[test]
fn a_log_has_the_part_of_its_job_or_is_shown_in_whole() {
    let site = database();
    site.run(&["reprocess", "7", "--mock"]).succeeded();
    let first = id(&site, 7);
    site.run(&["reprocess", "7", "--mock", "--direct"])
        .succeeded();
    let heads = |log: &str| log.matches("----- Processing r7").count();
    let log = site.run(&["jobs", "log", &first[..8]]).succeeded().stdout;
    assert!(
        log.contains(&first) && log.contains("evaluating 7"),
        "{log}"
    );
    assert_eq!((heads(&log), heads(&site.run_log(7))), (1, 2));
    let latest = site
        .run(&["jobs", "log", "--run", "7", "--follow"])
        .succeeded()
        .stdout;
    assert!(heads(&latest) == 1 && !latest.contains(&first), "{latest}");

    let log = site.db().join("process_logs/r7-p1234.out");
    std::fs::write(log, "as an older program has written it\n").expect("the log");
    let whole = site.run(&["jobs", "log", &first]).succeeded();
    assert_eq!(whole.stdout, "as an older program has written it\n");
    assert!(whole.stderr.contains("whole"), "{}", whole.stderr);
}

/// `jobs log --follow` of run 7, which has shown what the job has printed so far.
fn following(site: &Site) -> Service {
    let command = ["jobs", "log", "--run", "7", "--follow"];
    let seen = site.path("follow.log");
    let follow = Service::start(&mut site.command(&site.db(), &command), &seen);
    eventually(
        "what it prints is shown",
        || follow.said(),
        || follow.said().contains("evaluating 7"),
    );
    follow
}

#[test]
fn a_log_is_followed_until_its_job_is_over() {
    let site = database();
    let mut watch = begun(&site, &["7"], 1);
    let mut follow = following(&site);
    remove(&site, "wait");
    assert_eq!(follow.end(), Some(0));
    assert!(
        follow.said().contains("Computed energy"),
        "{}",
        follow.said()
    );
    assert_eq!(watch.end(), Some(0), "{}", watch.said());
}

#[test]
fn a_job_that_fails_here_and_now_says_why() {
    let site = database();
    site.write("db/context.py", "import nothing_of_that_name\n");
    site.run(&["reprocess", "7", "--direct", "--mock"])
        .failed(3, &["1 of 1 job did not finish", "nothing_of_that_name"]);
}

#[test]
fn a_log_that_is_followed_shows_that_its_job_was_cancelled() {
    let site = database();
    let mut watch = begun(&site, &["7"], 1);
    let mut follow = following(&site);
    site.run(&["jobs", "cancel", "--run", "7", "--yes"])
        .succeeded();
    assert_eq!(follow.end(), Some(0));
    assert!(
        follow.said().contains("The job was cancelled by "),
        "{}",
        follow.said()
    );
    remove(&site, "wait");
    assert_eq!(watch.end(), Some(3), "{}", watch.said());
}

#[test]
fn jobs_are_cancelled_stopped_killed_and_tried_again() {
    let site = database();
    // Two at a time: the third one waits.
    let mut watch = begun(&site, &["7", "9", "10"], 2);
    assert_eq!(state(&site, 10), "planned");
    let cancel = site.run(&["jobs", "cancel", &id(&site, 10)[..8], "--yes"]);
    assert!(cancel.succeeded().stdout.contains("r10: cancelled"));
    let (stopped, killed) = (id(&site, 7), id(&site, 9));
    let stop = site.run(&["jobs", "stop", &stopped[..8], "--yes"]);
    assert!(stop.succeeded().stdout.contains("held"));
    // Some of these is over: the other one is killed.
    let both = ["jobs", "kill", &id(&site, 10), &killed, "--yes"];
    let kill = site.run(&both).failed(3, &["r10 is cancelled already"]);
    assert!(kill.stdout.contains("r9: killed"), "{kill:#?}");

    assert_eq!(watch.end(), Some(3), "{}", watch.said());
    for words in ["r10: cancelled by", "r7: stopped by", "r9: killed by"] {
        assert!(watch.said().contains(words), "{}", watch.said());
    }
    let shown = job(&site, 7);
    assert_eq!(
        (&shown["state"], &shown["held"]),
        (&"planned".into(), &true.into())
    );
    assert_eq!(
        (state(&site, 9), state(&site, 10)),
        ("failed".into(), "cancelled".into())
    );
    let held = site.run(&["jobs", "--state", "held"]).succeeded().stdout;
    assert!(
        held.contains("stopped by") && held.contains("1 job: 1 held."),
        "{held}"
    );
    site.run(&["jobs", "cancel", &killed, "--yes"])
        .failed(1, &["failed already"]);

    remove(&site, "wait");
    site.run(&["jobs", "retry", "--state", "held", "--run", "7", "--yes"])
        .succeeded();
    eventually(
        "it is done",
        || site.run_log(7),
        || state(&site, 7) == "finished",
    );
    let attempts = &job(&site, 7)["attempts"];
    assert_eq!(attempts.as_array().map(Vec::len), Some(2));
    assert!(
        attempts[0]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("stopped"))
    );
}

#[test]
fn clients_hear_of_a_job_that_is_called_off() {
    let site = Site::with_broker();
    site.init(CONTEXT);
    let mut watch = begun(&site, &["7", "9", "10"], 2);
    let id = id(&site, 10);
    site.run(&["jobs", "cancel", &id, "--yes"]).succeeded();
    let clients = Clients::of(&site);
    eventually(
        "the clients are told that the job has ended",
        || format!("{:#?}", clients.told()),
        || clients.told().ended.contains(&id),
    );
    remove(&site, "wait");
    assert_eq!(watch.end(), Some(3), "{}", watch.said());
}

#[test]
fn nothing_is_changed_without_a_yes_and_no_job_is_guessed() {
    let site = database();
    site.run(&["reprocess", "7", "--mock"]).succeeded();
    let id = id(&site, 7);
    site.run(&["jobs", "retry", &id])
        .failed(2, &["no terminal", "--yes"]);
    assert_eq!(job(&site, 7)["attempts"].as_array().map(Vec::len), Some(1));
    site.run(&["jobs", "retry", "--yes"])
        .failed(2, &["no job is named"]);
    site.run(&["jobs", "show", "zz"])
        .failed(1, &["no job \"zz\""]);
    site.run(&["jobs", "--state", "dreaming"])
        .failed(2, &["dreaming", "planned", "held"]);
    site.run(&["jobs", "retry", "--all", "--yes"])
        .failed(1, &["no job to retry"]);
}

#[test]
fn reprocess_tells_each_event_and_names_what_failed() {
    let site = database();
    touch(&site, "die");
    let said = site.run(&["reprocess", "7", "8", "--mock", "--watch"]);
    let said = said.failed(3, &["1 of 2 jobs did not finish", "p1234 r8: ", "SIGKILL"]);
    for line in [
        "p1234 r7 planned",
        "p1234 r7 finished in ",
        "p1234 r8 failed: ",
    ] {
        assert!(said.stdout.contains(line), "{line}:\n{}", said.stdout);
    }
    assert!(!said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'));
    let direct = site.run(&["reprocess", "7", "8", "--mock", "--direct"]);
    direct.failed(3, &["1 of 2 jobs did not finish", "p1234 r8: ", "SIGKILL"]);
    // What a job that died had saved is merged: no combiner hears of it here.
    let left = std::fs::read_dir(site.db().join("extracted_data")).expect("a folder");
    let left: Vec<_> = left
        .map(|entry| entry.expect("a file").file_name())
        .collect();
    let is_fragment = |name: &&std::ffi::OsString| name.to_string_lossy().matches('.').count() > 1;
    assert_eq!(left.iter().find(is_fragment), None, "{left:?}");
}

#[test]
fn reprocess_ends_with_the_reason_where_a_job_cannot_be_started() {
    let site = database();
    let logs = site.db().join("process_logs");
    std::fs::write(&logs, "no folder").expect("a file");
    let said = site.run(&["reprocess", "7", "--mock"]);
    said.failed(
        3,
        &[
            "1 of 1 job did not finish",
            "cannot be started",
            "r7-p1234.out",
        ],
    );
    assert_eq!(state(&site, 7), "failed");
    std::fs::remove_file(&logs).expect("removed");
    site.run(&["jobs", "retry", "--all", "--yes"]).succeeded();
}

#[test]
fn reprocess_says_why_jobs_wait_that_had_no_room_at_first() {
    let site = database();
    let logs = site.db().join("process_logs");
    std::fs::write(&logs, "no folder").expect("a file");
    let all = ["reprocess", "7", "8", "--mock", "--concurrent-jobs", "1"];
    let log = site.path("reprocess.log");
    let mut watch = Service::start(&mut site.command(&site.db(), &all), &log);
    let said = || watch.said();
    eventually("it says why", said, || {
        said().contains("r8 waits for its next try: the log ")
    });
    std::fs::remove_file(&logs).expect("removed");
    assert_eq!(watch.end(), Some(3), "{}", watch.said());
    assert_eq!(
        (state(&site, 7), state(&site, 8)),
        ("failed".into(), "finished".into())
    );
}

#[test]
fn whoever_stops_watching_leaves_the_jobs_alone() {
    let site = database();
    let mut watch = begun(&site, &["7", "9", "--watch"], 2);
    watch.signal(Signal::SIGINT);
    assert_eq!(watch.end(), Some(3));
    for words in ["not over, and going on: 2 jobs", "runledger jobs", "cancel"] {
        assert!(watch.said().contains(words), "{words}:\n{}", watch.said());
    }
    remove(&site, "wait");
    let finished = || state(&site, 7) == "finished" && state(&site, 9) == "finished";
    eventually("they are done", || site.run_log(7), finished);
}

#[test]
fn all_means_the_runs_of_every_proposal_also_those_that_failed() {
    let site = Site::quiet();
    site.init(BROKEN);
    site.run(&["reprocess", "7", "--mock", "--direct"])
        .succeeded();
    site.run(&["reprocess", "7", "--proposal", "99", "--mock", "--direct"])
        .succeeded();
    site.run(&["reprocess", "all", "--mock"]).succeeded();
    let runs = |site: &Site| {
        jobs(site)
            .iter()
            .map(|job| job["proposal"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(runs(&site), [1234, 99, 99, 1234].map(Value::from));
    site.run(&["reprocess", "all", "--proposal", "99", "--mock"])
        .succeeded();
    assert_eq!(runs(&site)[4..], [Value::from(99)]);
}

#[test]
fn a_stray_file_among_the_runs_is_no_run() {
    let site = Site::quiet().opening(CONTEXT);
    let raw = site.data_root().join("SPB/202602/p001234/raw");
    std::fs::create_dir_all(raw.join("r0007")).expect("a raw folder");
    for stray in ["notes.txt", "r0009"] {
        std::fs::write(raw.join(stray), "a stray file").expect("a stray file");
    }
    let said = site.run(&["reprocess", "7", "9"]).succeeded();
    assert!(said.stderr.contains("p1234 r9"), "{said:#?}");
    assert_eq!(jobs(&site).len(), 1);
}

#[test]
fn without_slurm_reprocess_says_so_unless_this_machine_may_stand_in() {
    let site = database();
    site.configure("queue = \"local\"", "queue = \"slurm\"");
    let settings = std::fs::read_to_string(site.path("runledger.toml")).expect("the configuration");
    site.write(
        "runledger.toml",
        &format!("{settings}[slurm]\nsbatch = \"no-sbatch\"\n"),
    );
    let refused = site.run(&["reprocess", "7", "--mock"]);
    refused.failed(1, &["no Slurm here", "no-sbatch", "--direct"]);
    assert!(jobs(&site).is_empty());

    let at_listener = |arguments: &[&str]| {
        let mut command = site.command(&site.listener(), arguments);
        Finished::of(command.args(["--in"]).arg(site.db())).succeeded()
    };
    let mut allow = site.command(
        &site.listener(),
        &["listener", "config", "allow-local-processing", "1"],
    );
    Finished::of(&mut allow).succeeded();
    at_listener(&["reprocess", "7", "--mock"]);
    assert!(at_listener(&["jobs"]).stdout.contains("1 finished"));
}
