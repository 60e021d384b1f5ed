//! The beginning of a worker: it greets, and reads the context file.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::channel::NoFrame;
use super::message::{Hello, Reading};
use super::{FAREWELL, Limits, Worker, greeting};
use crate::error::{Error, Result};
use crate::manifest::Manifest;

/// A Python whose files lie on a busy network can take this long to start.
const GREETING: Duration = Duration::from_secs(180);

impl Worker {
    /// Hears the greeting, and refuses a Python that cannot do the work. Returns its process.
    pub(super) fn greet(&mut self, limits: &Limits) -> Result<Pid> {
        let limit = Instant::now() + GREETING;
        let limit = limits.deadline().map_or(limit, |all| all.min(limit));
        let hello: Hello = match self.receive(Some(limit), &limits.stop) {
            Ok(frame) => self.understand(frame.header)?,
            Err(NoFrame::Ended) => {
                let how = self.process.end(FAREWELL);
                return Err(self.no_greeting(how));
            }
            Err(NoFrame::TimedOut) => return Err(self.no_greeting("no answer in time".into())),
            Err(other) => return Err(self.broken(other)),
        };
        let pid = Pid::from_raw(hello.pid);
        greeting::check(&self.setup.python, hello)?;
        Ok(pid)
    }

    /// Hears what the context file declares, or what is wrong with it.
    pub(super) fn read_manifest(&mut self, limits: &Limits) -> Result<Manifest> {
        let path = self.setup.context_file();
        let frame = match self.receive(limits.deadline(), &limits.stop) {
            Ok(frame) => frame,
            Err(NoFrame::Ended) => {
                let how = self.process.end(FAREWELL);
                return Err(Error::ContextDied { path, how });
            }
            Err(NoFrame::TimedOut) => return Err(Error::ContextTimedOut { path }),
            Err(other) => return Err(self.broken(other)),
        };
        match self.understand(frame.header)? {
            Reading::Manifest(manifest) => match manifest.contradiction() {
                Some(what) => Err(self.nonsense(what)),
                None => Ok(manifest),
            },
            Reading::Invalid {
                problems,
                traceback,
            } => Err(Error::ContextFile {
                path,
                problems,
                traceback,
            }),
        }
    }
}
