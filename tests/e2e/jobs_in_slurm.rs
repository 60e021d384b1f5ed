//! `jobs` and `reprocess` where jobs go to a real Slurm.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use runledger_tests::{
    Finished, Service, Site, Slurm, WAITING, eventually, needs, needs_root, runledger,
};
use serde_json::Value;

/// Slurm is not to begin with these.
const LATER: &str = "shared_options = [\"--begin=now+1hour\"]\n";

struct OnSlurm {
    site: Site,
    slurm: &'static Slurm,
}

impl OnSlurm {
    fn new(settings: &str) -> Option<Self> {
        let slurm = Slurm::shared()?;
        let site = Site::quiet();
        site.init(WAITING);
        site.configure("queue = \"local\"", "queue = \"slurm\"");
        let on = Self { site, slurm };
        on.set(settings);
        Some(on)
    }

    fn set(&self, settings: &str) {
        let before = std::fs::read_to_string(self.site.path("runledger.toml"));
        let before = before.expect("the configuration");
        let (before, _) = before.split_once("[slurm]").unwrap_or((&before, ""));
        let text = format!("{before}[slurm]\nevery = \"500ms\"\n{settings}");
        self.site.write("runledger.toml", &text);
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = self.site.command(&self.site.db(), arguments);
        Finished::of(command.envs(self.slurm.environment()))
    }

    fn jobs(&self) -> Vec<Value> {
        let said = self.run(&["jobs", "--all", "--json"]).succeeded().stdout;
        let all: Value = serde_json::from_str(&said).expect("JSON");
        all.as_array().expect("a list").clone()
    }

    fn states(&self) -> Vec<String> {
        let jobs = self.jobs();
        let states = jobs
            .iter()
            .map(|job| job["state"].as_str().expect("a state"));
        states.map(str::to_owned).collect()
    }

    /// The names that Slurm gave to the latest attempts.
    fn names(&self) -> Vec<String> {
        let jobs = self.jobs();
        let last = |job: &Value| {
            job["attempts"]
                .as_array()
                .and_then(|all| all.last().cloned())
        };
        let name = |job: &Value| Some(last(job)?["queue_id"].as_str()?.to_owned());
        jobs.iter()
            .map(|job| name(job).unwrap_or_default())
            .collect()
    }

    fn until_all_are(&self, state: &str) {
        let explain = || format!("{:#?}\n{}", self.jobs(), self.site.run_log(7));
        eventually(state, explain, || {
            self.states().iter().all(|is| is == state)
        });
    }

    /// What Slurm has in its line, or at work.
    fn queued(&self, name: &str) -> String {
        let query = [
            "--clusters",
            "solaris",
            "--noheader",
            "--array",
            "--format",
            "%i %T",
        ];
        let said = Finished::of(&mut self.slurm.command("squeue", &query))
            .succeeded()
            .stdout;
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_default().to_owned()
    }

    fn wait(&self) {
        std::fs::write(self.site.db().join("wait"), "").expect("a file");
    }

    fn go_on(&self) {
        std::fs::remove_file(self.site.db().join("wait")).expect("a file");
    }
}

#[test]
fn several_runs_go_as_one_array_and_all_are_evaluated() {
    let Some(on) = OnSlurm::new("") else { return };
    let runs = [
        "reprocess",
        "1",
        "2",
        "3",
        "4",
        "5",
        "--mock",
        "--concurrent-jobs",
        "2",
    ];
    let said = on.run(&runs).succeeded().stdout;
    let names = on.names();
    let (array, _) = names[0].split_once('_').expect("a task's name");
    assert!(
        said.contains(&format!(
            "5 jobs submitted: array solaris {array}, 2 at a time"
        )),
        "{said}"
    );
    let tasks: Vec<String> = (0..5).map(|task| format!("{array}_{task}")).collect();
    assert_eq!(names, tasks);
    on.until_all_are("finished");
    let sum = "SELECT sum(value) FROM run_variables WHERE name='energy'";
    eventually("all is in the table", String::new, || {
        on.site.number(sum) == Some(22.5)
    });
    let shown = on
        .run(&["jobs", "show", &format!("{array}_3")])
        .succeeded()
        .stdout;
    assert!(
        shown.contains("p1234 r4") && shown.contains("solaris"),
        "{shown}"
    );
    let log = on
        .run(&["jobs", "log", &format!("{array}_3")])
        .succeeded()
        .stdout;
    assert!(
        log.contains("Processing r4 ") && log.contains("Computed energy"),
        "{log}"
    );
}

#[test]
fn jobs_are_watched_to_their_ends() {
    let Some(on) = OnSlurm::new("") else { return };
    on.wait();
    let (db, log) = (on.site.db(), on.site.path("watching.log"));
    let arguments = ["reprocess", "7", "8", "--mock", "--watch"];
    let mut watching = Service::start(
        on.site
            .command(&db, &arguments)
            .envs(on.slurm.environment()),
        &log,
    );
    let says = |line: &str| watching.said().contains(line);
    for line in ["p1234 r7 running (solaris ", "p1234 r8 running (solaris "] {
        eventually(line, || watching.said(), || says(line));
    }
    let name = on.names()[0].clone();
    on.go_on();
    assert_eq!(watching.end(), Some(0), "{}", watching.said());
    for line in [
        format!("p1234 r7 running (solaris {name})"),
        "p1234 r7 finished in ".to_owned(),
        "p1234 r8 finished in ".to_owned(),
    ] {
        assert!(
            watching.said().contains(&line),
            "{line}:
{}",
            watching.said()
        );
    }
}

#[test]
fn a_job_that_waits_is_cancelled_and_so_is_an_array() {
    let Some(on) = OnSlurm::new(LATER) else {
        return;
    };
    on.run(&["reprocess", "7", "8", "9", "--mock"]).succeeded();
    on.until_all_are("pending");
    let names = on.names();
    on.run(&["jobs", "cancel", &names[1], "--yes"]).succeeded();
    assert_eq!(on.states(), ["pending", "cancelled", "pending"]);
    assert_eq!(
        (on.queued(&names[0]), on.queued(&names[1])),
        ("PENDING".into(), String::new())
    );
    let (array, _) = names[0].split_once('_').expect("a task's name");
    on.run(&["jobs", "cancel", array, "--yes"]).failed(0, &[]);
    assert_eq!(on.states(), ["cancelled"; 3]);
    assert_eq!(on.queued(&names[0]), "");
}

fn share(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_job_that_slurm_does_not_let_somebody_cancel_goes_on_until_its_owner_cancels_it() {
    if !needs_root() || !needs("setpriv", "util-linux") {
        return;
    }
    let Some(on) = OnSlurm::new(LATER) else {
        return;
    };
    on.run(&["reprocess", "7", "--mock"]).succeeded();
    let name = on.names()[0].clone();
    share(&on.site.path(""), 0o755);
    share(&on.site.db(), 0o777);
    let program = on.site.path("runledger");
    std::fs::copy(runledger(), &program).expect("a copy that others may run");
    let as_nobody = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program);
        let ours = on.site.command(&on.site.db(), arguments);
        let settings = ours
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command
            .args(arguments)
            .current_dir(on.site.db())
            .envs(settings);
        Finished::of(command.envs(on.slurm.environment()))
    };
    let refused = as_nobody(&program, &["jobs", "cancel", &name, "--yes"]);
    refused.failed(
        1,
        &["not yours to cancel", "goes on", "denied", "its owner can"],
    );
    assert_eq!(
        (on.queued(&name), on.states()),
        ("PENDING".into(), vec!["pending".into()])
    );
    on.run(&["jobs", "cancel", &name, "--yes"]).succeeded();
    assert_eq!(
        (on.queued(&name), on.states()),
        (String::new(), vec!["cancelled".into()])
    );
}

#[test]
fn a_job_is_stopped_while_it_runs_and_tried_again() {
    let Some(on) = OnSlurm::new("") else { return };
    on.wait();
    on.run(&["reprocess", "7", "--mock"]).succeeded();
    on.until_all_are("running");
    let name = on.names()[0].clone();
    on.run(&["jobs", "stop", &name, "--yes"]).succeeded();
    let held = on.run(&["jobs", "--state", "held"]).succeeded().stdout;
    assert!(held.contains("stopped by"), "{held}");
    eventually(
        "it is off the queue",
        || on.queued(&name),
        || !["RUNNING", "PENDING"].contains(&on.queued(&name).as_str()),
    );
    assert_eq!(
        (
            on.jobs()[0]["held"].clone(),
            on.jobs()[0]["failures"].clone()
        ),
        (true.into(), 0.into())
    );
    on.go_on();
    let retried = on
        .run(&["jobs", "retry", &name, "--yes"])
        .succeeded()
        .stdout;
    assert!(
        retried.contains("given to the queue again: solaris"),
        "{retried}"
    );
    on.until_all_are("finished");
    assert_eq!(on.jobs()[0]["attempts"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_job_that_is_killed_while_it_runs_has_failed() {
    let Some(on) = OnSlurm::new("") else { return };
    on.wait();
    on.run(&["reprocess", "7", "--mock"]).succeeded();
    on.until_all_are("running");
    let name = on.names()[0].clone();
    on.run(&["jobs", "kill", "--run", "7", "--yes"]).succeeded();
    let job = &on.jobs()[0];
    assert_eq!(job["state"], "failed");
    assert!(
        job["message"]
            .as_str()
            .is_some_and(|why| why.contains("killed by")),
        "{job:#}"
    );
    eventually(
        "it is off the queue",
        || on.queued(&name),
        || !["RUNNING", "PENDING"].contains(&on.queued(&name).as_str()),
    );
    on.go_on();
    assert_eq!(on.states(), ["failed"]);
}

#[test]
fn a_refused_submission_is_told_and_a_queue_that_does_not_answer_leaves_what_is_known() {
    let Some(on) = OnSlurm::new("shared_options = [\"--partition=moon\"]\n") else {
        return;
    };
    for more in [None, Some("--watch")] {
        let mut asked = vec!["reprocess", "7", "8", "--mock"];
        asked.extend(more);
        on.run(&asked).failed(
            3,
            &[
                "2 of 2 jobs did not finish",
                "the submission was refused",
                "partition",
            ],
        );
    }
    assert_eq!(on.states(), ["failed"; 4]);
    for job in on.jobs() {
        assert_eq!(job["attempts"].as_array().map(Vec::len), Some(1), "{job}");
    }
    on.set(LATER);
    on.run(&["jobs", "retry", "--state", "failed", "--yes"])
        .succeeded();
    on.set("squeue = \"/bin/false\"\n");
    let listed = on.run(&["jobs"]).succeeded();
    assert!(
        listed.stderr.contains("warning: this is how the jobs of "),
        "{listed:#?}"
    );
    assert!(
        listed.stdout.contains("r7") && listed.stdout.contains("solaris"),
        "{listed:#?}"
    );
    on.set(LATER);
    on.run(&["jobs", "cancel", "--all", "--yes"]).succeeded();
}

#[test]
fn a_word_of_the_queue_that_nobody_knows_is_shown() {
    let Some(on) = OnSlurm::new(LATER) else {
        return;
    };
    let squeue = on.site.path("squeue");
    let script = "#!/bin/sh\nsqueue \"$@\" | sed s/PENDING/DREAMING/\n";
    std::fs::write(&squeue, script).expect("a script");
    share(&squeue, 0o755);
    on.run(&["reprocess", "7", "--mock"]).succeeded();
    on.set(&format!("squeue = {squeue:?}\n"));
    let listed = on.run(&["jobs"]).succeeded().stdout;
    assert!(listed.contains("the queue says: DREAMING"), "{listed}");
    on.set(LATER);
    on.run(&["jobs", "cancel", "--all", "--yes"]).succeeded();
}
