//! A worker that a warm Python has forked for us: its keeper tells how it ended, and ends it.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// How long a keeper may take to end everything.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connection to the keeper, which ends the worker and all that it has started when it is closed.
#[derive(Debug)]
pub(in crate::worker) struct Forked {
    control: UnixStream,
    /// What the keeper has said: one line with the status, as wait(2) gives it.
    said: Vec<u8>,
    closed: bool,
}

impl Forked {
    pub(super) fn new(control: UnixStream) -> io::Result<Self> {
        control.set_nonblocking(true)?;
        Ok(Self {
            control,
            said: Vec::new(),
            closed: false,
        })
    }

    /// Whether the worker still runs.
    pub(in crate::worker) fn is_alive(&mut self) -> bool {
        self.listen();
        !self.closed && self.status().is_none()
    }

    /// Ends the worker and everything that it has started.
    pub(in crate::worker) fn kill(&mut self) -> io::Result<ExitStatus> {
        // It may have ended, and its keeper too.
        let _ = self.control.shutdown(Shutdown::Write);
        self.control.set_nonblocking(false)?;
        self.control.set_read_timeout(Some(PATIENCE))?;
        // It closes the connection when all is over; who does not come to that is not waited for.
        let _ = self.control.read_to_end(&mut self.said);
        self.closed = true;
        self.status()
            .ok_or_else(|| io::Error::other("its keeper is gone"))
    }

    fn listen(&mut self) {
        let mut buffer = [0; 64];
        match self.control.read(&mut buffer) {
            Ok(0) => self.closed = true,
            Ok(count) => self.said.extend_from_slice(&buffer[..count]),
            Err(why) if is_passing(&why) => {}
            Err(_) => self.closed = true,
        }
    }

    fn status(&self) -> Option<ExitStatus> {
        let line = self.said.strip_suffix(b"\n")?;
        let number = std::str::from_utf8(line).ok()?.parse().ok()?;
        Some(ExitStatus::from_raw(number))
    }
}

fn is_passing(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}
