//! From a notification on a real Kafka, by jobs in a real Slurm, to the table; and what DAMNIT's own tracker of jobs
//! hears of it.

use std::process::Command;
use std::time::Duration;

use runledger_context::run::RunData;
use runledger_listener::ledger::{Attempt, Entry, Ledger, State};
use runledger_tests::{Finished, Kafka, Service, Site, Slurm, eventually, python, script};

const CONTEXT: &str = r#"
import os, time
from damnit_ctx import Variable

def inherited(*starts):
    return " ".join(sorted(name for name in os.environ if name.startswith(starts))) or "nothing"

@Variable()
def energy(run, n: "meta#run_number"):
    if n >= 20:
        while n == 20 or not os.path.exists("die"):
            time.sleep(0.05)
        os.kill(os.getppid(), 9)
        time.sleep(60)
    ballast = bytearray(50 << 20)
    time.sleep(1.5)
    return 1.5 * n

@Variable()
def desktop(run):
    return inherited("DISPLAY", "LD_PRELOAD", "NOTIFY_SOCKET")

@Variable()
def array(run):
    return inherited("SLURM_ARRAY_")

@Variable(data="proc")
def corrected(run, n: "meta#run_number"):
    return n + 100

@Variable(cluster=True)
def heavy(run, x: "var#energy"):
    return x + 1
"#;

/// They are there when the listener starts: while the first is submitted, the others are gathered.
const BACKLOG: std::ops::RangeInclusive<u32> = 2..=7;
const CANCELLED: u32 = 20;
const KILLED: u32 = 21;

struct Chain<'a> {
    site: &'a Site,
    listener: Service,
    combiner: Service,
    tracker: Service,
}

impl<'a> Chain<'a> {
    fn start(site: &'a Site, slurm: &Slurm) -> Self {
        let mut listen = site.command(&site.listener(), &["listen", "."]);
        listen.envs(slurm.environment()).envs([
            ("DISPLAY", ":9"),
            ("SLURM_ARRAY_TASK_ID", "4"),
            ("LD_PRELOAD", "libc.so.6"),
        ]);
        let db_id = site.text("SELECT value FROM metameta WHERE key='db_id'");
        let topic = format!("test.damnit.db-{}", db_id.expect("the database's id"));
        let mut track = Command::new(python());
        track.arg(script("track_jobs.py"));
        track.args([&site.broker_address, &topic]);
        Self {
            site,
            listener: Service::start(&mut listen, &site.path("listen.log")),
            combiner: site.service(&["combiner", "run"]),
            tracker: Service::start(&mut track, &site.path("tracker.log")),
        }
    }

    fn jobs(&self) -> Vec<(Entry, Option<Attempt>)> {
        let ledger = Ledger::open(&self.site.db()).expect("the ledger");
        let with_attempt = |entry: Entry| {
            let last = ledger.last_attempt(&entry.job.processing_id);
            (entry, last.expect("the attempts"))
        };
        let jobs = ledger.jobs().expect("the jobs").into_iter();
        jobs.map(with_attempt).collect()
    }

    fn job_of(&self, run: u32) -> Option<(Entry, Option<Attempt>)> {
        let is_it = |(entry, _): &(Entry, Option<Attempt>)| entry.job.run.number.0 == run;
        self.jobs().into_iter().find(is_it)
    }

    /// What DAMNIT's tracker took a job for, in order, with its cluster and its name there.
    fn tracked(&self, processing_id: &str) -> Vec<(String, String, String)> {
        let said = self.tracker.said();
        let lines = said
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let of_job =
            lines.filter(|line: &serde_json::Value| line["processing_id"] == processing_id);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut states: Vec<_> = of_job
            .map(|line| {
                (
                    text(&line["status"]),
                    text(&line["cluster"]),
                    text(&line["job"]),
                )
            })
            .collect();
        states.dedup();
        states
    }

    fn is_seen_to_run(&self, run: u32) -> bool {
        self.job_of(run).is_some_and(|(entry, _)| {
            let states = self.tracked(&entry.job.processing_id);
            states
                .last()
                .is_some_and(|(status, ..)| status == "RUNNING")
        })
    }

    #[track_caller]
    fn until(&self, what: &str, is_true: impl Fn() -> bool) {
        let why = || {
            let said = [&self.listener, &self.combiner, &self.tracker].map(Service::said);
            format!("{:#?}\n{}", self.jobs(), said.join("\n---\n"))
        };
        eventually(what, why, is_true);
    }

    fn value(&self, name: &str, run: u32) -> Option<f64> {
        let of = format!("name='{name}' AND run={run}");
        self.site
            .number(&format!("SELECT value FROM run_variables WHERE {of}"))
    }

    fn word(&self, name: &str, run: u32) -> Option<String> {
        let of = format!("name='{name}' AND run={run}");
        self.site
            .text(&format!("SELECT value FROM run_variables WHERE {of}"))
    }

    fn until_values_are_there(&self) {
        self.until("all values are in the table", || {
            let of_run = |run: u32| {
                let energy = 1.5 * f64::from(run);
                self.value("energy", run) == Some(energy)
                    && self.value("heavy", run) == Some(energy + 1.0)
            };
            (1..=*BACKLOG.end()).all(of_run) && self.value("corrected", 1) == Some(101.0)
        });
    }

    fn until_all_have_ended(&self) {
        self.until("each job's end is known", || {
            self.jobs().iter().all(|(entry, attempt)| {
                let is_settled = |attempt: &Attempt| attempt.reason.is_some();
                entry.state.is_final() && attempt.as_ref().is_some_and(is_settled)
            })
        });
    }
}

#[test]
fn notifications_become_values_by_way_of_slurm_and_damnits_tracker_follows_each_job() {
    let (Some(kafka), Some(slurm)) = (Kafka::start(&[]), Slurm::shared()) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    site.configure("queue = \"local\"", "queue = \"slurm\"");
    site.configure("[jobs]\n", "[slurm]\nevery = \"500ms\"\n[jobs]\n");
    let announced = site.facility_announces(BACKLOG, Duration::ZERO).end();
    assert_eq!(announced, Some(0));
    let chain = Chain::start(&site, slurm);
    chain.until("the backlog has begun", || {
        chain.value("energy", 2).is_some()
    });
    site.announce("migration_complete", 1);
    chain.until("a lone run is in Slurm", || {
        let job = chain.job_of(1).and_then(|(_, attempt)| attempt);
        job.is_some_and(|attempt| attempt.queue_id.is_some())
    });
    site.announce("run_corrections_complete", 1);
    site.announce("migration_complete", CANCELLED);
    site.announce("migration_complete", KILLED);
    chain.until("both are seen to run", || {
        [CANCELLED, KILLED]
            .iter()
            .all(|run| chain.is_seen_to_run(*run))
    });
    std::fs::write(site.db().join("die"), "").expect("a file in the database's folder");
    let (_, attempt) = chain.job_of(CANCELLED).expect("the job");
    let id = attempt
        .and_then(|attempt| attempt.queue_id)
        .expect("its name in Slurm");
    Finished::of(&mut slurm.command("scancel", &["--clusters", "solaris", &id])).succeeded();
    chain.until_values_are_there();
    chain.until_all_have_ended();
    check_places(&chain);
    check_what_is_inherited(&chain);
    check_ends(&chain);
    check_tracker(&chain);
}

/// Several at once are an array on the shared nodes; cluster variables have a job of their own.
fn check_places(chain: &Chain<'_>) {
    for (entry, attempt) in chain.jobs() {
        let attempt = attempt.expect("an attempt");
        let expected = match entry.job.request.cluster {
            true => "maxwell",
            false => "solaris",
        };
        assert_eq!(attempt.cluster.as_deref(), Some(expected), "{entry:#?}");
    }
    let ids = BACKLOG.map(|run| {
        let (_, attempt) = chain.job_of(run).expect("the job");
        attempt
            .and_then(|attempt| attempt.queue_id)
            .expect("its name in Slurm")
    });
    let tasks: Vec<_> = ids.filter(|id| id.contains('_')).collect();
    assert!(tasks.len() >= 2, "{tasks:?}");
}

fn check_what_is_inherited(chain: &Chain<'_>) {
    for run in 1..=*BACKLOG.end() {
        assert_eq!(chain.word("desktop", run).as_deref(), Some("nothing"));
    }
    let (_, attempt) = chain.job_of(1).expect("the job");
    let task = attempt.expect("an attempt").task;
    assert_eq!(task, None, "a lone run is no array");
    assert_eq!(chain.word("array", 1).as_deref(), Some("nothing"));
}

/// Each is told as it was, with the memory that its variables took.
fn check_ends(chain: &Chain<'_>) {
    for (entry, attempt) in chain.jobs() {
        let attempt = attempt.expect("an attempt");
        let expected = match entry.job.run.number.0 {
            KILLED => State::Failed,
            CANCELLED => State::Cancelled,
            _ => State::Finished,
        };
        assert_eq!(entry.state, expected, "{entry:#?}");
        let has_ballast = entry.job.data == RunData::Raw && !entry.job.request.cluster;
        if expected == State::Finished && has_ballast {
            let most = attempt.peak_memory;
            assert!(most.is_some_and(|bytes| bytes > 50 << 20), "{attempt:#?}");
        }
    }
}

fn check_tracker(chain: &Chain<'_>) {
    for (entry, attempt) in chain.jobs() {
        let attempt = attempt.expect("an attempt");
        let (cluster, id) = (
            attempt.cluster.expect("a cluster"),
            attempt.queue_id.expect("a name"),
        );
        let expected = ["PENDING", "RUNNING", "gone"]
            .map(|status| (status.to_owned(), cluster.clone(), id.clone()));
        let processing_id = &entry.job.processing_id;
        let what = format!("DAMNIT's tracker follows {expected:?}");
        chain.until(&what, || chain.tracked(processing_id) == expected);
    }
}
