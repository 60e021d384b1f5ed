//! A worker that we have started ourselves: in a group of its own, so that what it leaves behind ends with it.

use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::Launcher;
use super::Setup;
use super::leftovers::Mark;

/// The descriptor that the worker finds its channel under; its number is the script's argument.
const CHANNEL_FD: i32 = 3;
/// A launcher passes on no others than the first three.
const STDIN: i32 = 0;

/// Our child.
#[derive(Debug)]
pub(super) struct Spawned {
    child: Child,
    group: Pid,
    mark: Mark,
    launcher: Launcher,
}

impl Spawned {
    /// Starts Python with `script` in the database's folder, printing into `log`.
    pub(super) fn start(
        setup: &Setup,
        script: &Path,
        channel: UnixStream,
        log: PipeWriter,
    ) -> io::Result<Self> {
        let mark = Mark::new();
        let (variable, value) = mark.variable();
        let has_launcher = setup.launcher.program().is_some();
        let channel_fd = if has_launcher { STDIN } else { CHANNEL_FD };
        let mut command = setup.launcher.command(&setup.python);
        command
            .arg(script)
            .arg(channel_fd.to_string())
            .arg(setup.memory.unwrap_or(0).to_string())
            .envs(&setup.environment)
            .env(variable, value)
            .current_dir(&setup.database_dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let channel = OwnedFd::from(channel);
        match has_launcher {
            true => drop(command.stdin(channel)),
            false => pass_on(&mut command, channel)?,
        }
        let child = command.spawn()?;
        let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        let launcher = setup.launcher.clone();
        Ok(Self {
            child,
            group,
            mark,
            launcher,
        })
    }

    /// Whether it still runs. It is not reaped here: until then nobody else can have its number.
    pub(super) fn is_alive(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        matches!(
            waitid(Id::Pid(self.group), look),
            Ok(WaitStatus::StillAlive)
        )
    }

    /// Kills the whole group at once, and reaps the worker.
    pub(super) fn kill(&mut self) -> io::Result<ExitStatus> {
        // The group may have nobody left in it: that is what we want.
        let _ = killpg(self.group, Signal::SIGKILL);
        let status = self.child.wait()?;
        self.mark.end_orphans();
        Ok(self.launcher.understood(status))
    }
}

fn pass_on(command: &mut Command, channel: OwnedFd) -> io::Result<()> {
    let mapping = FdMapping {
        parent_fd: channel,
        child_fd: CHANNEL_FD,
    };
    let mapped = command.fd_mappings(vec![mapping]);
    mapped.map(drop).map_err(io::Error::other)
}
