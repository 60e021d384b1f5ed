//! Listener, combiner, jobs, broker and Slurm's controller are killed at random instants, over and over; and then the books are checked.
//!
//! `RUNLEDGER_TEST_FAULTS` is the number of rounds; `./x soak` has many.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_listener::kafka::{Consumer, ConsumerSettings, Properties, Start};
use runledger_tests::{Finished, Kafka, Service, Site, Slurm, python, script};

const FEW_ROUNDS: u32 = 5;
/// So many runs arrive in each round.
const RUNS: u32 = 2;
/// The longest time from a round's first run to its blow.
const LATEST_BLOW_MS: u64 = 1500;

/// Two results that belong together.
const CONTEXT: &str = r#"
import random
import numpy as np
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run):
    with open("evaluated", "a") as books:
        books.write("once\n")
    return random.random()

@Variable(title="Trace", summary="mean")
def trace(run, energy: "var#energy"):
    return np.full(1000, energy)
"#;

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Listener,
    Combiner,
    Broker,
    Job,
    /// Slurm's.
    Controller,
}

/// The controller comes last: without Slurm there is none.
const VICTIMS: [Victim; 5] = [
    Victim::Listener,
    Victim::Combiner,
    Victim::Broker,
    Victim::Job,
    Victim::Controller,
];

/// Retries and sessions that have to run out are waited for.
const PATIENCE: Duration = Duration::from_secs(240);

/// Below `limit`, another number each time.
fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() % limit
}

fn rounds() -> u32 {
    let named = std::env::var("RUNLEDGER_TEST_FAULTS");
    named.map_or(FEW_ROUNDS, |rounds| rounds.parse().expect("a number"))
}

/// What there is to be killed.
struct Stage<'a> {
    site: &'a Site,
    kafka: &'a Kafka,
    slurm: Option<&'a Slurm>,
    listener: Service,
    combiner: Service,
    /// Each is struck once before anybody is struck again.
    deck: Vec<Victim>,
    blows: Vec<String>,
}

impl<'a> Stage<'a> {
    fn set(site: &'a Site, kafka: &'a Kafka, slurm: Option<&'a Slurm>) -> Self {
        Self {
            site,
            kafka,
            slurm,
            listener: listener(site, slurm),
            combiner: site.service(&["combiner", "run"]),
            deck: Vec::new(),
            blows: Vec::new(),
        }
    }

    fn draw(&mut self) -> Victim {
        if self.deck.is_empty() {
            let there = VICTIMS.len() - usize::from(self.slurm.is_none());
            self.deck = VICTIMS[..there].to_vec();
        }
        let index = random(self.deck.len() as u64);
        self.deck
            .swap_remove(usize::try_from(index).expect("a small number"))
    }

    /// Kills somebody, who is then started again, as a supervisor would.
    fn strike(&mut self) {
        let victim = self.draw();
        self.blows.push(format!("{victim:?}"));
        match victim {
            Victim::Listener => {
                self.listener.kill();
                self.listener = listener(self.site, self.slurm);
            }
            Victim::Combiner => {
                self.combiner.kill();
                self.combiner = self.site.service(&["combiner", "run"]);
            }
            Victim::Broker => {
                self.kafka.kill();
                self.kafka.start_again();
            }
            Victim::Controller => {
                let slurm = self.slurm.expect("a Slurm");
                slurm.kill("slurmctld-solaris");
                slurm.start_again();
            }
            Victim::Job => {
                // It may end by itself in this moment.
                if let Some(job) = jobs_in(&self.site.db()).first() {
                    let _ = kill(Pid::from_raw(*job), Signal::SIGKILL);
                }
            }
        }
    }

    /// Waits for something to become true; meanwhile does what operators do.
    #[track_caller]
    fn eventually(&self, what: &str, is_true: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_true() {
            let why = || format!("{:?}\n{}", books(self.site), self.explain());
            assert!(Instant::now() < until, "never happened: {what}\n{}", why());
            self.slurm
                .into_iter()
                .for_each(|slurm| slurm.resume("solaris"));
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn explain(&self) -> String {
        let said = [&self.listener, &self.combiner].map(Service::said);
        let in_slurm = self.slurm.map(|slurm| {
            let queue = ["--clusters=solaris", "--format=%i %T %r %j"];
            let queue = Finished::of(&mut slurm.command("squeue", &queue)).stdout;
            let accounts = [
                "-M",
                "solaris",
                "-X",
                "-P",
                "-o",
                "JobID,State,Submit,Start,End,JobName",
            ];
            queue + &Finished::of(&mut slurm.command("sacct", &accounts)).stdout
        });
        let in_slurm = in_slurm.unwrap_or_default();
        format!("{:?}\n{in_slurm}\n{}", self.blows, said.join("\n---\n"))
    }
}

fn listener(site: &Site, slurm: Option<&Slurm>) -> Service {
    let mut command = site.command(&site.listener(), &["listen", "."]);
    command.envs(slurm.into_iter().flat_map(Slurm::environment));
    Service::start(&mut command, &site.path("listen.log"))
}

/// The jobs at work in a database's folder.
fn jobs_in(dir: &Path) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").expect("processes");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let of = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        let command = std::fs::read(of("cmdline")).unwrap_or_default();
        let is_job = command.split(|b| *b == 0).any(|word| word == b"extract");
        is_job && std::fs::read_link(of("cwd")).is_ok_and(|cwd| cwd == dir)
    })
    .collect()
}

/// State and message of each run's job; it is an error to have two.
fn books(site: &Site) -> Vec<(u32, String, Option<String>)> {
    let ledger = rusqlite::Connection::open(site.db().join("ledger.sqlite")).expect("the ledger");
    let sql = "SELECT run, state, message FROM jobs ORDER BY run";
    let mut rows = ledger.prepare(sql).expect("the jobs");
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .expect("the jobs")
}

/// Runs that have both values in the table.
fn in_table(site: &Site) -> BTreeSet<u32> {
    let sql =
        "SELECT run FROM run_variables WHERE name IN ('energy', 'trace') AND value IS NOT NULL
               GROUP BY run HAVING count(*) = 2";
    let table = site.table();
    let mut rows = table.prepare(sql).expect("the table");
    rows.query_map([], |row| row.get(0))
        .and_then(Iterator::collect)
        .expect("the table")
}

/// Runs whose new values the clients have heard of.
struct Clients {
    consumer: Consumer,
    told: std::cell::RefCell<BTreeSet<u32>>,
}

impl Clients {
    fn of(site: &Site) -> Self {
        let identity = site.text("SELECT value FROM metameta WHERE key='db_id'");
        let consumer = Consumer::new(ConsumerSettings {
            brokers: site.broker_address.clone(),
            topics: vec![format!("test.damnit.db-{}", identity.expect("an identity"))],
            group_id: "clients".into(),
            start: Start::Earliest,
            properties: Properties::new(),
        });
        Self {
            consumer: consumer.expect("a consumer"),
            told: std::cell::RefCell::default(),
        }
    }

    fn told(&self) -> BTreeSet<u32> {
        let more = self.consumer.poll(Duration::from_millis(100), 1000);
        for message in more.expect("messages") {
            let update: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
            if update["msg_kind"] == "run_values_updated" {
                let run = update["data"]["run"].as_u64().expect("a run");
                let run = u32::try_from(run).expect("a run's number");
                self.told.borrow_mut().insert(run);
            }
        }
        self.told.borrow().clone()
    }
}

#[test]
fn whatever_is_killed_at_whatever_instant_nothing_is_lost_or_done_twice() {
    let Some(kafka) = Kafka::start(&[]) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    kill_and_check(&site, &kafka, None);
}

#[test]
fn on_slurm_whatever_is_killed_at_whatever_instant_nothing_is_lost_or_done_twice() {
    let (Some(kafka), Some(slurm)) = (Kafka::start(&[]), Slurm::start()) else {
        return;
    };
    let site = Site::over(&kafka).watching(CONTEXT);
    site.configure("queue = \"local\"", "queue = \"slurm\"");
    site.configure(
        "[jobs]\n",
        "[slurm]\nevery = \"500ms\"\ngone_after = \"5s\"\n[jobs]\n",
    );
    kill_and_check(&site, &kafka, Some(&slurm));
}

fn kill_and_check(site: &Site, kafka: &Kafka, slurm: Option<&Slurm>) {
    let mut reading = Command::new(python());
    reading.arg(script("read_always.py")).arg(site.db());
    let mut reader = Service::start(&mut reading, &site.path("reader.log"));
    let mut stage = Stage::set(site, kafka, slurm);
    for round in 0..rounds() {
        let first = round * RUNS + 1;
        let mut announcer = site.facility_announces(first..=first + RUNS - 1, Duration::ZERO);
        std::thread::sleep(Duration::from_millis(random(LATEST_BLOW_MS)));
        stage.strike();
        println!("round {round}: {:?}", stage.blows.last());
        assert_eq!(announcer.end(), Some(0), "{}", announcer.said());
    }
    let all: Vec<u32> = (1..=rounds() * RUNS).collect();
    stage.eventually("each run has one job, and its end is known", || {
        let books = books(site);
        let is_over = |state: &str| ["finished", "failed", "lost"].contains(&state);
        books.iter().map(|(run, ..)| *run).eq(all.iter().copied())
            && books.iter().all(|(_, state, _)| is_over(state))
    });
    let (finished, failed): (Vec<_>, Vec<_>) = books(site)
        .into_iter()
        .partition(|(_, state, _)| state == "finished");
    let struck = stage.blows.iter().filter(|blow| *blow == "Job").count();
    assert!(failed.len() <= struck, "{failed:?}\n{}", stage.explain());
    let finished: BTreeSet<u32> = finished.into_iter().map(|(run, ..)| run).collect();
    let evaluated = std::fs::read_to_string(site.db().join("evaluated")).unwrap_or_default();
    let evaluations = evaluated.lines().count();
    // What a controller forgets it may end, and it is done again; who is not killed is evaluated once.
    let interrupted = struck
        + stage
            .blows
            .iter()
            .filter(|blow| *blow == "Controller")
            .count()
            * RUNS as usize;
    assert!(
        evaluations <= all.len() + interrupted,
        "{evaluations} evaluations\n{}",
        stage.explain()
    );
    stage.eventually("each result is in the table", || {
        in_table(site).is_superset(&finished)
    });
    let clients = Clients::of(site);
    stage.eventually("each update was told", || {
        clients.told().is_superset(&finished)
    });
    assert_eq!(reader.stop(), Some(0), "{}", reader.said());
    println!(
        "{} runs finished, {} jobs were killed; {}",
        finished.len(),
        failed.len(),
        reader.said().trim()
    );
}
