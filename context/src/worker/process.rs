//! The worker as a process: in a group of its own, so that what it leaves behind ends with it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::Setup;
use super::leftovers::Mark;
use super::printed::Printed;

/// The descriptor that the worker finds its channel under; its number is the script's argument.
const CHANNEL_FD: i32 = 3;
/// How often we look whether a process has ended.
const LOOK: Duration = Duration::from_millis(2);

/// A started worker. Whatever is left of its processes is killed with this value.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Pid,
    mark: Mark,
    printed: Printed,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts Python with `script` in the database's folder; also returns our end of the channel.
    pub(super) fn start(setup: &Setup, script: &Path) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let (printed, log) = Printed::start()?;
        let mark = Mark::new();
        let (variable, value) = mark.variable();
        let mut command = Command::new(&setup.python);
        command
            .arg(script)
            .arg(CHANNEL_FD.to_string())
            .arg(setup.memory.unwrap_or(0).to_string())
            .env(variable, value)
            .current_dir(&setup.database_dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let mapping = FdMapping {
            parent_fd: OwnedFd::from(theirs),
            child_fd: CHANNEL_FD,
        };
        command
            .fd_mappings(vec![mapping])
            .map_err(io::Error::other)?;
        let child = command.spawn()?;
        let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        Ok((
            Self {
                child,
                group,
                mark,
                printed,
                ended: None,
            },
            ours,
        ))
    }

    /// Whether the worker itself still runs. It is not reaped here: until then nobody else can have
    /// its number.
    pub(super) fn is_alive(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let state = waitid(Id::Pid(self.group), look);
        self.ended.is_none() && matches!(state, Ok(WaitStatus::StillAlive))
    }

    /// Waits until it has ended, but not longer than `patience`; kills its group; tells how it ended.
    pub(super) fn end(&mut self, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        while self.is_alive() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        let left_alone = !self.is_alive();
        match self.kill() {
            Ok(status) if left_alone => describe(status),
            Ok(_) => "it did not end by itself".into(),
            Err(why) => format!("its end is unknown: {why}"),
        }
    }

    /// Kills the whole group at once, and reaps the worker.
    pub(super) fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        // The group may have nobody left in it: that is what we want.
        let _ = killpg(self.group, Signal::SIGKILL);
        let status = self.child.wait()?;
        self.ended = Some(status);
        self.mark.end_orphans();
        self.printed.settle();
        Ok(status)
    }

    /// The next variable may print as much as the one before.
    pub(super) fn begin_printing(&self) {
        self.printed.begin_turn();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = self.kill();
    }
}

/// `exit status 3`, or `signal 11 (SIGSEGV)`.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("signal {number} ({signal})"),
            Err(_) => format!("signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}
