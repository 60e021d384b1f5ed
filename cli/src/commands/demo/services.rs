//! Listener and combiner of the demo, as the processes that they are anywhere.

use std::fs::File;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::stage::Stage;
use crate::failure::{Failure, Result};

/// How long a service may take to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// The running services; they end with this value.
pub(super) struct Services {
    running: Vec<(&'static str, Child)>,
    logs: String,
}

impl Services {
    /// Puts the database on the listener's list and starts both.
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        let db = stage.db().display().to_string();
        let proposal = stage.proposal.0.to_string();
        let added = stage
            .command(&["listener", "add", &proposal, &db])?
            .output();
        let added = added
            .map_err(|e| Failure::new(format!("the listener's list cannot be written: {e}")))?;
        if !added.status.success() {
            let why = String::from_utf8_lossy(&added.stderr).trim_end().to_owned();
            return Err(Failure::new(format!(
                "the listener's list cannot be written:\n{why}"
            )));
        }
        let mut services = Self {
            running: Vec::new(),
            logs: stage.where_logs_are(),
        };
        services.begin("listener", stage, stage.command(&["listen", "."])?)?;
        services.begin("combiner", stage, stage.command(&["combiner", "run"])?)?;
        Ok(services)
    }

    fn begin(&mut self, name: &'static str, stage: &Stage, mut command: Command) -> Result {
        let path = stage.listener().join(format!("{name}.log"));
        let log = File::create(&path).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) =
            log.map_err(|e| Failure::new(format!("{} cannot be written: {e}", path.display())))?;
        let child = command.stdout(out).stderr(err).spawn();
        let child = child.map_err(|e| Failure::new(format!("the {name} does not start: {e}")))?;
        self.running.push((name, child));
        Ok(())
    }

    /// Whether both still run.
    pub(super) fn check(&mut self) -> Result {
        for (name, child) in &mut self.running {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(Failure::new(format!("the {name} has stopped ({status})"))
                    .hint(self.logs.clone()));
            }
        }
        Ok(())
    }

    /// Stops both, and waits for them.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for (_, child) in &self.running {
            let pid = i32::try_from(child.id()).map(Pid::from_raw);
            // One that is gone already needs no signal.
            let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
        }
        let until = Instant::now() + FAREWELL;
        for (_, mut child) in self.running.drain(..) {
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.end();
    }
}
