//! A site whose jobs go to a real Slurm, seen through its ledger.

use runledger_context::run::{RunData, RunId};
use runledger_listener::job::{Job, Request};
use runledger_listener::ledger::{Attempt, Entry, Ledger, State};

use crate::{Finished, Service, Site, Slurm, eventually};

/// A context file whose variable waits while there is a file `wait` in the database's folder.
pub const WAITING: &str = r#"
import os, time
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run, n: "meta#run_number"):
    while os.path.exists("wait"):
        time.sleep(0.02)
    return 1.5 * n
"#;

/// A site, and the Slurm that has its jobs.
pub struct OnSlurm<'a> {
    /// The site.
    pub site: Site,
    /// Its Slurm.
    pub slurm: &'a Slurm,
}

impl<'a> OnSlurm<'a> {
    /// A site with a database, with more lines for its `[slurm]`.
    pub fn new(slurm: &'a Slurm, site: Site, settings: &str) -> Self {
        let slurm_section = format!("[slurm]\nevery = \"500ms\"\n{settings}[jobs]\n");
        site.configure("queue = \"local\"", "queue = \"slurm\"");
        site.configure("[jobs]\n", &slurm_section);
        Self { site, slurm }
    }

    /// Runs the binary in the database's folder.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = self.site.command(&self.site.db(), arguments);
        Finished::of(command.envs(self.slurm.environment()))
    }

    /// Starts the listener.
    pub fn listener(&self) -> Service {
        let mut command = self.site.command(&self.site.listener(), &["listen", "."]);
        command.envs(self.slurm.environment());
        Service::start(&mut command, &self.site.path("listen.log"))
    }

    /// The database's ledger.
    ///
    /// # Panics
    /// It cannot be opened.
    pub fn ledger(&self) -> Ledger {
        Ledger::open(&self.site.db()).expect("the ledger")
    }

    /// Writes a job down for each of these runs.
    ///
    /// # Panics
    /// The ledger does not take them.
    pub fn plan(&self, runs: std::ops::RangeInclusive<u32>) {
        let mut ledger = self.ledger();
        for run in runs {
            let request = Request::default();
            let job = Job::new(RunId::new(1234, run), RunData::Raw, self.site.db(), request);
            ledger.plan(None, &job).expect("a new job");
        }
    }

    /// All jobs, oldest first.
    ///
    /// # Panics
    /// The ledger cannot be read.
    pub fn jobs(&self) -> Vec<Entry> {
        self.ledger().jobs().expect("the jobs")
    }

    /// The ordinary jobs, which are submitted from outside.
    pub fn ordinary(&self) -> Vec<Entry> {
        let all = self.jobs().into_iter();
        all.filter(|entry| !entry.job.request.cluster).collect()
    }

    /// The attempts at the ordinary jobs.
    ///
    /// # Panics
    /// The ledger cannot be read.
    pub fn attempts(&self) -> Vec<Attempt> {
        let ledger = self.ledger();
        let of = |entry: &Entry| {
            let attempts = ledger.attempts(&entry.job.processing_id);
            attempts.expect("the attempts")
        };
        self.ordinary().iter().flat_map(of).collect()
    }

    /// Waits for something that the listener brings about.
    ///
    /// # Panics
    /// It does not happen.
    #[track_caller]
    pub fn until(&self, what: &str, listener: &Service, is_true: impl Fn() -> bool) {
        eventually(what, || self.explain(listener), is_true);
    }

    /// All that is known of the jobs.
    pub fn explain(&self, listener: &Service) -> String {
        let (jobs, attempts) = (self.jobs(), self.attempts());
        let (said, log) = (listener.said(), self.site.run_log(7));
        format!("{jobs:#?}\n{attempts:#?}\n{said}\n{log}")
    }

    /// Waits until all jobs are this far.
    ///
    /// # Panics
    /// They never are.
    #[track_caller]
    pub fn until_all_are(&self, state: State, listener: &Service) {
        self.until(state.as_str(), listener, || {
            self.jobs().iter().all(|entry| entry.state == state)
        });
    }

    /// Makes an empty file in the database's folder.
    ///
    /// # Panics
    /// It cannot.
    pub fn touch(&self, name: &str) {
        std::fs::write(self.site.db().join(name), "").expect("a file in the database's folder");
    }

    /// Removes it.
    ///
    /// # Panics
    /// It is not there.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.site.db().join(name)).expect("a file in the database's folder");
    }
}
