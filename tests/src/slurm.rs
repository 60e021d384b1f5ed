//! A real Slurm for tests: the clusters `maxwell` and `solaris` on this machine, with accounting.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::process::Finished;
use crate::real_part::{RealPart, is_installed};

const SCRIPT: &str = "slurm/slurm.sh";

/// Runs until it is dropped or the test's process ends.
pub struct Slurm {
    part: RealPart,
}

impl Slurm {
    /// One for this test alone, which may then kill its daemons; None, and the test is written down as skipped, where
    /// Slurm is not installed.
    ///
    /// # Panics
    /// It does not start; or it is not installed, and `CI=true`.
    pub fn start() -> Option<Self> {
        is_installed(SCRIPT).then(|| Self {
            part: RealPart::start(SCRIPT, &[]),
        })
    }

    /// The one that all tests of a test program share; None as with [`Self::start`].
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Slurm> = OnceLock::new();
        is_installed(SCRIPT).then(|| {
            SHARED.get_or_init(|| Self {
                part: RealPart::start(SCRIPT, &[]),
            })
        })
    }

    /// Its folder, with `log/` and a `.conf` file for each cluster.
    pub fn dir(&self) -> &Path {
        self.part.dir()
    }

    /// What the environment of `sbatch` and of programs that call it needs.
    pub fn environment(&self) -> [(&'static str, OsString); 1] {
        [("SLURM_CONF", self.dir().join("maxwell.conf").into())]
    }

    /// One of Slurm's own commands.
    pub fn command(&self, program: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment());
        command
    }

    /// Adds lines to a cluster's `slurm.conf`, which its daemons read then.
    ///
    /// # Panics
    /// They do not.
    pub fn configure(&self, cluster: &str, lines: &str) {
        let path = self.dir().join(format!("{cluster}.conf"));
        let before = std::fs::read_to_string(&path).expect("the cluster's slurm.conf");
        std::fs::write(&path, format!("{before}{lines}")).expect("the cluster's slurm.conf");
        let mut reconfigure = self.command("scontrol", &["reconfigure"]);
        Finished::of(reconfigure.env("SLURM_CONF", path)).succeeded();
    }

    /// Lets an operator change something: a job, a node. Returns what Slurm says of it.
    pub fn update(&self, cluster: &str, what: &[&str]) -> Finished {
        let arguments = [&["--cluster", cluster, "update"], what].concat();
        Finished::of(&mut self.command("scontrol", &arguments))
    }

    /// The name of the only node of each cluster.
    pub fn node() -> String {
        let host = runledger_listener::queue::host_name();
        host.split('.').next().unwrap_or_default().to_owned()
    }

    /// Ends a daemon as a crash would: `slurmctld-maxwell`, `slurmd-solaris`, `slurmdbd`, `mariadb`, `munged`.
    ///
    /// # Panics
    /// There is none of that name.
    pub fn kill(&self, daemon: &str) {
        self.part.do_now(&["kill", daemon]);
    }

    /// Lets a cluster's node take jobs again, as an operator would when Slurm has drained it.
    pub fn resume(&self, cluster: &str) {
        // It answers with an error where there is nothing to resume.
        let node = format!("nodename={}", Self::node());
        let _ = self.update(cluster, &[&node, "state=resume"]);
    }

    /// Lets a controller ask its node what it is at, as an operator would when jobs that have ended are said to run:
    /// one that was killed may have missed their ends, and asks by itself after half an hour.
    pub fn look_again(&self, cluster: &str) {
        let conf = self.dir().join(format!("{cluster}.conf"));
        let mut reconfigure = self.command("scontrol", &["reconfigure"]);
        // A controller that does not answer is asked again later.
        let _ = Finished::of(reconfigure.env("SLURM_CONF", conf));
    }

    /// Starts those daemons again that have ended, as they were.
    ///
    /// # Panics
    /// They do not start.
    pub fn start_again(&self) {
        self.part.do_now(&["start"]);
    }
}
