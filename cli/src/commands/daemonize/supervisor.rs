//! supervisord and supervisorctl, as an operator calls them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::conf;
use crate::failure::{Failure, Result};

/// The program under supervisord, as DAMNIT names it.
const PROGRAM: &str = "damnit";
/// How long a listener may take until it counts as started: two seconds, and what a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `supervisorctl status damnit` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// There is no supervisord.
    Unreachable,
    /// There is one, but not for this listener.
    Unknown,
    /// The listener runs; the words tell its process and since when.
    Running(String),
    /// It has been started just now.
    Starting,
    /// It has ended each time it was started, and will be started again.
    Failing(String),
    /// It does not run, and will not unless asked to.
    Stopped(String),
}

/// The supervisord of a listener's folder.
pub(super) struct Supervisor {
    conf: PathBuf,
}

impl Supervisor {
    /// Whether or not it runs.
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            conf: conf::path(dir),
        }
    }

    /// Starts it with its configuration, and so the listener.
    pub(super) fn launch(&self) -> Result {
        let mut command = Command::new("supervisord");
        let output = output(command.arg("-c").arg(&self.conf))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        Err(Failure::new(format!(
            "supervisord failed ({}): {}",
            output.status,
            said.trim()
        )))
    }

    /// Starts the listener; whether it did, its status tells.
    pub(super) fn start(&self) -> Result {
        self.control("start").map(drop)
    }

    /// How the listener is.
    pub(super) fn status(&self) -> Result<Status> {
        let said = self.control("status")?;
        Ok(status(&String::from_utf8_lossy(&said.stdout)))
    }

    /// Waits until it runs, or it is clear that it does not.
    pub(super) fn settled(&self) -> Result<Status> {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status()?;
            let under_way = matches!(status, Status::Starting | Status::Unreachable);
            if !under_way || Instant::now() > until {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn control(&self, what: &str) -> Result<Output> {
        let mut command = Command::new("supervisorctl");
        output(command.arg("-c").arg(&self.conf).args([what, PROGRAM]))
    }
}

/// Its exit codes do not tell an unknown program from an unreachable supervisord, nor a running one from one that
/// fails again and again; its words do: `NAME STATE and more`.
fn status(said: &str) -> Status {
    let mut words = said.split_whitespace().skip(1);
    let state = words.next().unwrap_or_default();
    let more = said.trim().to_owned();
    match state {
        "RUNNING" => Status::Running(more),
        "STARTING" => Status::Starting,
        "BACKOFF" => Status::Failing(more),
        "STOPPED" | "STOPPING" | "EXITED" | "FATAL" => Status::Stopped(more),
        "ERROR" => Status::Unknown,
        _ => Status::Unreachable,
    }
}

fn output(command: &mut Command) -> Result<Output> {
    command.output().map_err(|e| {
        let name = command.get_program().to_string_lossy().into_owned();
        match e.kind() {
            std::io::ErrorKind::NotFound => Failure::new(format!("there is no {name} on your PATH")).hint(
                "install it with `pip install supervisor` (Debian's package: supervisor), or let systemd run the \
                 listener: deploy/systemd/",
            ),
            _ => Failure::new(format!("{name} cannot be started: {e}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_of_supervisorctl_is_understood() {
        let running = "damnit                           RUNNING   pid 12, uptime 0:00:03\n";
        assert_eq!(status(running), Status::Running(running.trim().into()));
        let failing = "damnit                           BACKOFF   Exited too quickly (process log may have details)";
        assert_eq!(status(failing), Status::Failing(failing.into()));
        let stopped = "damnit                           STOPPED   Nov 21 10:00 AM";
        assert_eq!(status(stopped), Status::Stopped(stopped.into()));
        assert_eq!(status("damnit: ERROR (no such process)"), Status::Unknown);
        let refused = "http://127.0.0.1:9 refused connection";
        assert_eq!(status(refused), Status::Unreachable);
    }
}
