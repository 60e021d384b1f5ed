//! What a real Slurm does to jobs: nodes that fail or cannot begin, room for others, limits of time and memory.

use std::sync::OnceLock;

use runledger_listener::ledger::State;
use runledger_tests::{Finished, OnSlurm, Service, Site, Slurm};

const CONTEXT: &str = r#"
import os, time
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run, n: "meta#run_number"):
    return 1.5 * n

@Variable()
def patient(run, x: "var#energy"):
    if os.path.exists("much"):
        # Each of the two processes stays below the job's limit, both together do not.
        os.fork()
        ballast = b"x" * (400 << 20)
        time.sleep(60)
    open("waits", "w").close()
    while os.path.exists("wait"):
        time.sleep(0.02)
    return 2
"#;

/// The cluster of jobs that have no trouble with their node, and the one whose node fails.
const STEADY: &str = "solaris";
const FRAIL: &str = "maxwell";

/// A node does not begin with a job in whose folder there is `no-start`, and is not done with the second job of a folder
/// while there is `no-end`; jobs in the partition `low` make room for others.
const SETTINGS: &str = "\
Prolog=DIR/prolog
Epilog=DIR/epilog
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobAcctGatherParams=OverMemoryKill
PartitionName=low Nodes=NODE MaxTime=INFINITE State=UP PriorityTier=0
";
const PROLOG: &str = "[ ! -e \"$SLURM_JOB_WORK_DIR/no-start\" ]";
const EPILOG: &str = "cd \"$SLURM_JOB_WORK_DIR\" && [ -e no-end ] || exit 0
mkdir first 2> /dev/null && exit 0
mkdir second 2> /dev/null || exit 0
while [ -e no-end ]; do sleep 0.1; done";

/// The Slurm that all of these tests share.
fn slurm() -> Option<&'static Slurm> {
    static SLURM: OnceLock<Option<Slurm>> = OnceLock::new();
    let start = || {
        let slurm = Slurm::start()?;
        for (name, script) in [("prolog", PROLOG), ("epilog", EPILOG)] {
            let path = slurm.dir().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))
                .expect("a script in Slurm's folder");
            let mut executable = std::process::Command::new("chmod");
            Finished::of(executable.arg("755").arg(&path)).succeeded();
        }
        let dir = slurm.dir().display().to_string();
        let settings = SETTINGS.replace("DIR", &dir);
        slurm.configure(STEADY, &settings.replace("NODE", &Slurm::node()));
        Some(slurm)
    };
    SLURM.get_or_init(start).as_ref()
}

/// A job in Slurm, and the listener that looks after it.
struct Troubled {
    on: OnSlurm<'static>,
    listener: Service,
    cluster: &'static str,
}

impl Troubled {
    /// The one job of a new site, on its way.
    fn job(cluster: &'static str, files: &[&str], settings: &str) -> Option<Self> {
        let cluster_setting = format!("shared_cluster = {cluster:?}\n{settings}");
        let site = Site::quiet().watching(CONTEXT);
        let on = OnSlurm::new(slurm()?, site, &cluster_setting);
        for file in files {
            on.touch(file);
        }
        on.plan(7..=7);
        let listener = on.listener();
        Some(Self {
            on,
            listener,
            cluster,
        })
    }

    /// One that runs until it may go on.
    fn running(cluster: &'static str, settings: &str) -> Option<Self> {
        let job = Self::job(cluster, &["wait"], settings)?;
        job.until("it is at work", || job.on.site.db().join("waits").exists());
        job.until("the queue shows it", || job.state() == State::Running);
        Some(job)
    }

    #[track_caller]
    fn until(&self, what: &str, is_true: impl Fn() -> bool) {
        self.on.until(what, &self.listener, is_true);
    }

    fn state(&self) -> State {
        self.on.ordinary()[0].state
    }

    fn until_finished(&self) {
        self.until("it has finished", || self.state() == State::Finished);
    }

    fn failures(&self) -> u32 {
        self.on.ordinary()[0].failures
    }

    fn unbegun(&self) -> u32 {
        self.on.ordinary()[0].unbegun
    }

    fn message(&self) -> String {
        self.on.ordinary()[0].message.clone().unwrap_or_default()
    }

    /// The name of its first attempt in Slurm.
    fn name(&self) -> String {
        let first = &self.on.attempts()[0];
        first.queue_id.clone().expect("its name in Slurm")
    }

    /// Why each of its attempts ended.
    fn reasons(&self) -> Vec<String> {
        let attempts = self.on.attempts().into_iter();
        let reasons = attempts.map(|attempt| attempt.reason.unwrap_or_default());
        reasons.collect()
    }

    /// Lets an operator change the job.
    fn update(&self, what: &str) {
        let job = format!("jobid={}", self.name());
        self.on
            .slurm
            .update(self.cluster, &[&job, what])
            .succeeded();
    }

    /// Slurm would wait two minutes before it begins again.
    fn begin_again_now(&self) {
        self.update("starttime=now");
    }

    /// What people are told of it.
    #[track_caller]
    fn is_listed(&self, words: &[&str]) {
        let listed = self.on.run(&["jobs", "--all"]).succeeded().stdout;
        for word in words {
            assert!(listed.contains(word), "{word:?} is not in:\n{listed}");
        }
    }
}

#[test]
fn a_job_that_slurm_holds_as_its_node_could_not_begin_it_is_taken_back_and_tried_again() {
    let Some(job) = Troubled::job(STEADY, &["no-start"], "") else {
        return;
    };
    let why = "its node could not start it, and Slurm holds it (launch failed requeued held)";
    job.until("it is to be tried again", || job.unbegun() == 1);
    job.is_listed(&["planned", why, "next try"]);
    job.on.remove("no-start");
    job.on.slurm.resume(STEADY);
    job.until_finished();
    assert!(job.reasons()[0].contains(why), "{:?}", job.reasons());
    assert_eq!((job.on.attempts().len(), job.failures()), (2, 0));
}

/// Takes a node's memory until it is dropped.
struct Urgent(&'static Slurm, String);

impl Urgent {
    fn submit(slurm: &'static Slurm) -> Self {
        let options = ["--parsable", "--clusters", STEADY, "--mem=900G"];
        let work = ["--output=/dev/null", "--wrap=sleep 600"];
        let submitted = Finished::of(&mut slurm.command("sbatch", &[&options[..], &work].concat()));
        let id = submitted.succeeded().stdout;
        let (id, _) = id.trim().split_once(';').expect("ID;CLUSTER");
        Self(slurm, id.to_owned())
    }
}

impl Drop for Urgent {
    fn drop(&mut self) {
        let arguments = ["--clusters", STEADY, &self.1];
        let _ = Finished::of(&mut self.0.command("scancel", &arguments));
    }
}

#[test]
fn a_job_that_makes_room_for_another_waits_for_slurm_to_begin_it_again_or_is_tried_again() {
    let low =
        |more: &str| format!("shared_options = [\"--partition=low\"{more}]\nmemory = \"450G\"\n");
    let Some(requeued) = Troubled::running(STEADY, &low("")) else {
        return;
    };
    let ended = Troubled::running(STEADY, &low(", \"--no-requeue\"")).expect("the same Slurm");
    let urgent = Urgent::submit(ended.on.slurm);
    requeued.until("it waits again", || requeued.state() == State::Pending);
    requeued.is_listed(&["pending", "Slurm tries it again soon (BeginTime)"]);
    let why = "it had to make room for another job";
    ended.until("it is to be tried again", || ended.failures() == 1);
    ended.is_listed(&["planned", why]);
    drop(urgent);
    for job in [&requeued, &ended] {
        job.on.remove("wait");
    }
    requeued.begin_again_now();
    requeued.until_finished();
    ended.until_finished();
    assert_eq!((requeued.on.attempts().len(), requeued.failures()), (1, 0));
    assert_eq!((ended.on.attempts().len(), ended.failures()), (2, 1));
    assert_eq!(ended.reasons()[0], why);
}

#[test]
fn a_job_whose_node_fails_waits_for_slurm_to_begin_it_again_or_is_tried_again() {
    let Some(requeued) = Troubled::running(FRAIL, "") else {
        return;
    };
    let no_requeue = "shared_options = [\"--no-requeue\"]\n";
    let ended = Troubled::running(FRAIL, no_requeue).expect("the same Slurm");
    let node = format!("nodename={}", Slurm::node());
    let slurm = ended.on.slurm;
    let down = [&node, "state=down", "reason=a test"];
    slurm.update(FRAIL, &down).succeeded();
    requeued.until("it waits again", || requeued.state() == State::Pending);
    requeued.is_listed(&["pending", "Slurm tries it again soon (BeginTime)"]);
    ended.until("it is to be tried again", || ended.failures() == 1);
    ended.is_listed(&["planned", "its node failed"]);
    for job in [&requeued, &ended] {
        job.on.remove("wait");
    }
    slurm.resume(FRAIL);
    requeued.begin_again_now();
    requeued.until_finished();
    ended.until_finished();
    assert_eq!((requeued.on.attempts().len(), requeued.failures()), (1, 0));
    assert_eq!((ended.on.attempts().len(), ended.failures()), (2, 1));
    assert_eq!(ended.reasons()[0], "its node failed");
}

#[test]
fn a_job_that_is_out_of_time_has_failed_and_is_not_tried_again() {
    let Some(job) = Troubled::running(STEADY, "") else {
        return;
    };
    // Slurm looks at its limits every half minute.
    job.update("endtime=now");
    let why = "it took longer than its time in Slurm (slurm_time)";
    job.until("it has failed", || job.state() == State::Failed);
    assert!(job.message().contains(why), "{}", job.message());
    job.is_listed(&["failed", why]);
    assert_eq!((job.on.attempts().len(), job.failures()), (1, 0));
}

/// Without cgroups Slurm only says that it ended it.
#[test]
fn a_job_that_takes_too_much_memory_has_failed_and_is_not_tried_again() {
    let memory = "memory = \"600M\"\n";
    let Some(job) = Troubled::job(STEADY, &["much"], memory) else {
        return;
    };
    job.until("it has failed", || job.state() == State::Failed);
    job.is_listed(&["failed", "SIGKILL"]);
    assert_eq!((job.on.attempts().len(), job.failures()), (1, 0));
    let log = job.on.site.run_log(7);
    assert!(log.contains("exceeded memory limit"), "{log}");
}

/// As after a controller was killed, Slurm has an array still that is over for us.
#[test]
fn an_array_does_not_wait_for_one_that_slurm_still_has_though_all_its_jobs_have_ended() {
    let Some(slurm) = slurm() else {
        return;
    };
    let settings = format!("shared_cluster = {STEADY:?}\narray_size = 2\ngone_after = \"2s\"\n");
    let on = OnSlurm::new(slurm, Site::quiet().watching(CONTEXT), &settings);
    on.run(&["db-config", "concurrent-jobs", "1"]).succeeded();
    on.touch("no-end");
    on.plan(7..=10);
    let listener = on.listener();
    on.until("the second array is let go", &listener, || {
        listener
            .said()
            .contains("all of whose jobs have ended: it does not")
    });
    on.remove("no-end");
    on.until_all_are(State::Finished, &listener);
}
