//! Stopping a process at a step, in builds with debug assertions only: a release build does nothing here.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Step;

/// The environment variable that names the step at which a test build stops: `offset-stored`, or `offset-stored:3` for
/// the third time that a process comes there.
pub const STOP_AT: &str = "RUNLEDGER_STOP_AT";

/// The environment variable that names a file: whoever stops makes it, with its command line, and nobody stops once it
/// is there.
pub const STOPPED: &str = "RUNLEDGER_STOPPED";

/// What came before is on disk, what comes next is not. A test build may end here, with its process group and as by
/// SIGKILL: nothing is tidied up.
#[inline]
pub fn reached(step: Step) {
    if cfg!(debug_assertions)
        && let Some(stop) = Stop::wanted()
        && stop.is_now(step)
    {
        stop.here();
    }
}

/// Where this process is to stop.
struct Stop {
    step: String,
    time: u32,
    times: AtomicU32,
    marker: PathBuf,
}

impl Stop {
    fn wanted() -> Option<&'static Self> {
        static WANTED: OnceLock<Option<Stop>> = OnceLock::new();
        WANTED.get_or_init(Self::from_environment).as_ref()
    }

    fn from_environment() -> Option<Self> {
        let named = std::env::var(STOP_AT).ok()?;
        let (step, time) = match named.split_once(':') {
            Some((step, time)) => (step, time.parse().ok()?),
            None => (named.as_str(), 1),
        };
        Some(Self {
            step: step.to_owned(),
            time,
            times: AtomicU32::new(0),
            marker: std::env::var_os(STOPPED)?.into(),
        })
    }

    fn is_now(&self, step: Step) -> bool {
        step.name() == self.step && self.times.fetch_add(1, Ordering::Relaxed) + 1 == self.time
    }

    /// Only who makes the marker stops, and its whole process group with it, as when a machine ends: the next one goes
    /// on.
    fn here(&self) {
        let Ok(mut marker) = File::create_new(&self.marker) else {
            return;
        };
        let words: Vec<String> = std::env::args().collect();
        // The marker is there; what it says only helps to understand a failure.
        let _ = marker.write_all(words.join(" ").as_bytes());
        let own_group = Pid::from_raw(0);
        let _ = kill(own_group, Signal::SIGKILL);
    }
}
