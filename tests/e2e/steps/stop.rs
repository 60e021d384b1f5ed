//! A process that is stopped at a step, once.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use runledger_steps::{STOP_AT, STOPPED, Step};
use runledger_tests::{Finished, Service, Site};

/// Far longer than anything should take.
const PATIENCE: Duration = Duration::from_secs(200);

/// Where to stop, and whether somebody has.
pub(crate) struct Stop {
    name: String,
    marker: PathBuf,
}

impl Stop {
    pub(crate) fn at(site: &Site, step: Step) -> Self {
        Self {
            name: match step {
                // The first result of all is when the run began.
                Step::ResultSaved => format!("{}:2", step.name()),
                _ => step.name().to_owned(),
            },
            marker: site.path(&format!("stopped-at-{}", step.name())),
        }
    }

    /// The command, and what it starts, will stop there; it has a process group of its own.
    pub(crate) fn arm<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(STOP_AT, &self.name);
        command.env(STOPPED, &self.marker).process_group(0)
    }

    /// A service of the binary that will stop there.
    pub(crate) fn service(&self, site: &Site, arguments: &[&str]) -> Service {
        let mut command = site.command(&site.listener(), arguments);
        let log = site.path(&format!("{}.log", arguments[0]));
        Service::start(self.arm(&mut command), &log)
    }

    /// Runs a command that stops there.
    pub(crate) fn run(&self, command: &mut Command) {
        let finished = Finished::of(self.arm(command));
        assert!(self.has_happened(), "it never came there: {finished:?}");
    }

    /// Runs the binary in the database's folder until it stops.
    pub(crate) fn run_in_db(&self, site: &Site, arguments: &[&str]) {
        self.run(&mut site.command(&site.db(), arguments));
    }

    fn has_happened(&self) -> bool {
        // Whoever makes it writes into it then.
        std::fs::metadata(&self.marker).is_ok_and(|marker| marker.len() > 0)
    }

    /// Waits until somebody has stopped, and says whose command line that was.
    pub(crate) fn wait(&self, explain: impl Fn() -> String) -> String {
        until(&format!("{} is reached", self.name), explain, || {
            self.has_happened().then_some(()).ok_or_else(String::new)
        });
        std::fs::read_to_string(&self.marker).expect("the marker")
    }
}

/// Waits for something; `is_so` says what is missing.
pub(crate) fn until(
    what: &str,
    explain: impl Fn() -> String,
    is_so: impl Fn() -> Result<(), String>,
) {
    let end = Instant::now() + PATIENCE;
    while let Err(why) = is_so() {
        let is_late = Instant::now() > end;
        assert!(!is_late, "never happened: {what}: {why}\n{}", explain());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The names in a folder; none where it is not there.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
