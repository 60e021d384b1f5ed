//! What there is to be killed, and who was.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runledger_tests::{Finished, Kafka, Service, Site, Slurm, Vitals};

use crate::at_work::jobs_in;
use crate::books::Books;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    Listener,
    Combiner,
    Broker,
    Job,
    /// Slurm's.
    Controller,
}

impl Victim {
    /// The controller comes last: without Slurm there is none.
    pub(crate) const ALL: [Self; 5] = [
        Self::Listener,
        Self::Combiner,
        Self::Broker,
        Self::Job,
        Self::Controller,
    ];

    fn is_service(self) -> bool {
        matches!(self, Self::Listener | Self::Combiner)
    }
}

/// So many runs arrive in each round…
const RUNS: u32 = 2;
/// … and before each, so many of other proposals, for which the listener has nothing to do.
const STRANGERS: u32 = 50;

/// A job takes about as long as this.
const LONGEST_JOB_MS: u64 = 800;
/// Retries, of which the later ones wait ten minutes; sessions that have to run out, and the two minutes that Slurm waits
/// before it does a job again.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Below `limit`, another number each time.
pub(crate) fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() % limit
}

/// Everything at work for one site.
pub(crate) struct Stage<'a> {
    pub(crate) site: &'a Site,
    kafka: &'a Kafka,
    slurm: Option<&'a Slurm>,
    listener: Service,
    combiner: Service,
    pub(crate) rounds: u32,
    /// So many runs were announced, from the first one on.
    pub(crate) announced: u32,
    /// Each is struck once before anybody is struck again.
    deck: Vec<Victim>,
    /// Whether listener and combiner live from here on.
    spares_services: bool,
    /// Everybody who was struck.
    pub(crate) blows: Vec<Victim>,
    /// Whose process was killed: job and attempt.
    pub(crate) killed_jobs: BTreeSet<(String, u32)>,
}

impl<'a> Stage<'a> {
    pub(crate) fn set(site: &'a Site, kafka: &'a Kafka, slurm: Option<&'a Slurm>) -> Self {
        Self {
            site,
            kafka,
            slurm,
            listener: listener(site, slurm),
            combiner: site.service(&["combiner", "run"]),
            rounds: 0,
            announced: 0,
            deck: Vec::new(),
            spares_services: false,
            blows: Vec::new(),
            killed_jobs: BTreeSet::new(),
        }
    }

    fn draw(&mut self) -> Victim {
        if self.deck.is_empty() {
            let there = Victim::ALL.len() - usize::from(self.slurm.is_none());
            self.deck = Victim::ALL[..there].to_vec();
            self.deck
                .retain(|victim| !self.spares_services || !victim.is_service());
        }
        let index = random(self.deck.len() as u64);
        self.deck
            .swap_remove(usize::try_from(index).expect("a small number"))
    }

    /// Where the jobs run.
    pub(crate) fn parts(&self) -> &'static str {
        match self.slurm {
            Some(_) => "Kafka and Slurm",
            None => "Kafka and this machine",
        }
    }

    /// Listener and combiner are struck no more.
    pub(crate) fn spare_the_services(&mut self) {
        self.spares_services = true;
        self.deck.clear();
    }

    /// What the listener, and the combiner with its workers, have of the machine when no job is at work.
    pub(crate) fn vitals_at_rest(&self) -> [Vitals; 2] {
        self.eventually("all jobs are over", || {
            Books::of(self).are_closed(self.announced)
        });
        [self.listener.vitals(), self.combiner.vitals_with_workers()]
    }

    /// So many messages are in the topic of notifications.
    pub(crate) fn events(&self) -> u32 {
        self.announced * (1 + STRANGERS)
    }

    /// A round begins: the facility announces more runs.
    pub(crate) fn announce(&mut self) -> Service {
        let first = self.announced + 1;
        self.rounds += 1;
        self.announced += RUNS;
        self.site
            .facility_announces_among(first..=self.announced, STRANGERS)
    }

    /// Kills somebody, who is then started again, as a supervisor would.
    pub(crate) fn strike(&mut self) {
        let victim = self.draw();
        self.blows.push(victim);
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
                slurm.look_again("solaris");
            }
            Victim::Job => self.strike_a_job(),
        }
    }

    /// Waits until there is one, unless all have ended.
    fn strike_a_job(&mut self) {
        let dir = self.site.db();
        self.eventually("a job is at work", || {
            !jobs_in(&dir).is_empty() || Books::of(self).are_closed(self.announced)
        });
        std::thread::sleep(Duration::from_millis(random(LONGEST_JOB_MS)));
        let Some((pid, job)) = jobs_in(&dir).pop_first() else {
            return;
        };
        // It may end by itself in this moment.
        if kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok() {
            self.killed_jobs.insert(job);
        }
    }

    /// Waits for something to become true; meanwhile does what operators do.
    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, is_true: impl Fn() -> bool) {
        let (begun, mut resumed, mut looked) = (Instant::now(), Instant::now(), Instant::now());
        while !is_true() {
            let is_late = begun.elapsed() > PATIENCE;
            assert!(!is_late, "never happened: {what}\n{}", self.explain());
            if resumed.elapsed() > Duration::from_secs(1) {
                self.slurm.inspect(|slurm| slurm.resume("solaris"));
                resumed = Instant::now();
            }
            if looked.elapsed() > Duration::from_secs(10) {
                self.slurm.inspect(|slurm| slurm.look_again("solaris"));
                looked = Instant::now();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What Slurm's node says that it does; nothing where there is no Slurm.
    pub(crate) fn node_log(&self) -> String {
        self.slurm
            .map(|slurm| log_of(slurm, "slurmd"))
            .unwrap_or_default()
    }

    /// Everything that may help to find out what went wrong.
    pub(crate) fn explain(&self) -> String {
        let books = Books::of(self);
        let said = [&self.listener, &self.combiner].map(Service::said);
        let in_slurm = self.slurm.map(in_slurm).unwrap_or_default();
        let (blows, killed) = (&self.blows, &self.killed_jobs);
        let said = said.join("\n---\n");
        format!("{books:#?}\n{blows:?}, jobs {killed:?}\n{in_slurm}\n{said}")
    }
}

/// Its line, its accounts, and what its daemons said.
fn in_slurm(slurm: &Slurm) -> String {
    let queue = ["--clusters=solaris", "--format=%i %T %r %j"];
    let format = "--format=JobID,State,ExitCode,Submit,Start,End,JobName";
    let accounts = ["--clusters=solaris", "-X", "-P", "--duplicates", format];
    [
        Finished::of(&mut slurm.command("squeue", &queue)).stdout,
        Finished::of(&mut slurm.command("sacct", &accounts)).stdout,
        log_of(slurm, "slurmctld"),
        log_of(slurm, "slurmd"),
    ]
    .join("\n---\n")
}

/// What a daemon has said, but for our own wishes.
fn log_of(slurm: &Slurm, daemon: &str) -> String {
    let log = slurm.dir().join(format!("log/{daemon}-solaris.log"));
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let is_ours = |line: &&str| line.contains("RESUME") || line.contains("_update_node");
    let lines: Vec<&str> = log.lines().filter(|line| !is_ours(line)).collect();
    lines.join("\n")
}

fn listener(site: &Site, slurm: Option<&Slurm>) -> Service {
    let mut command = site.command(&site.listener(), &["listen", "."]);
    command.envs(slurm.into_iter().flat_map(Slurm::environment));
    Service::start(&mut command, &site.path("listen.log"))
}
