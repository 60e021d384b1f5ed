//! The worker as a process, whoever its parent is, with what it prints.

use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::Setup;
use super::printed::Printed;
use super::spawned::Spawned;
use super::warm::{Answer, Forked, Place};

/// How often we look whether a process has ended.
const LOOK: Duration = Duration::from_millis(2);

/// A worker. Whatever is left of its processes is killed with this value.
#[derive(Debug)]
pub(super) struct Process {
    hold: Hold,
    printed: Printed,
    ended: Option<ExitStatus>,
}

#[derive(Debug)]
enum Hold {
    Spawned(Spawned),
    Forked(Forked),
}

/// A started process, and what goes with it.
pub(super) struct Started {
    pub(super) process: Process,
    /// Our end of the channel.
    pub(super) stream: UnixStream,
    /// Where to leave a warm Python behind; None: nowhere, or there is one.
    pub(super) vacancy: Option<Place>,
}

impl Process {
    /// A worker in the database's folder: forked from a warm Python, if there is one, else started with `script`.
    pub(super) fn start(setup: &Setup, script: &Path) -> io::Result<Started> {
        let (stream, theirs) = UnixStream::pair()?;
        let (printed, log) = Printed::start()?;
        let place = Place::of(setup, script);
        let answer = place.as_ref().map(|place| place.ask(setup, &theirs, &log));
        let (hold, vacancy) = match answer {
            Some(Answer::Forked(forked)) => (Hold::Forked(forked), None),
            other => {
                let is_vacant = matches!(other, Some(Answer::Nobody));
                let spawned = Spawned::start(setup, script, theirs, log)?;
                (Hold::Spawned(spawned), place.filter(|_| is_vacant))
            }
        };
        let process = Self {
            hold,
            printed,
            ended: None,
        };
        Ok(Started {
            process,
            stream,
            vacancy,
        })
    }

    /// Whether the worker itself still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        self.ended.is_none()
            && match &mut self.hold {
                Hold::Spawned(spawned) => spawned.is_alive(),
                Hold::Forked(forked) => forked.is_alive(),
            }
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

    /// Kills all of it at once.
    pub(super) fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        let status = match &mut self.hold {
            Hold::Spawned(spawned) => spawned.kill()?,
            Hold::Forked(forked) => forked.kill()?,
        };
        self.ended = Some(status);
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
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("signal {number} ({signal})"),
            Err(_) => format!("signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}
