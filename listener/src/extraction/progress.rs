//! How far a job is, written into the ledger while it runs.
//!
//! By a thread of its own, so that nobody's evaluation waits for a ledger that another program holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::warn;

use crate::job::Job;
use crate::ledger::{Ledger, Progress};

/// How often the ledger hears of it. A job that takes less time leaves only its end there.
const EVERY: Duration = Duration::from_secs(1);

/// Counts the variables that have had their turn. The last count is the caller's to write, with the job's end.
pub(super) struct Counter {
    count: Arc<AtomicU32>,
    variables: u32,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Counter {
    /// A count from 0 to `variables`.
    pub(super) fn start(job: &Job, variables: usize) -> Self {
        let count = Arc::new(AtomicU32::new(0));
        let variables = u32::try_from(variables).unwrap_or(u32::MAX);
        let (stop, stopped) = channel();
        let (seen, job) = (Arc::clone(&count), job.clone());
        let thread = std::thread::spawn(move || {
            let mut told = None;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let done = seen.load(Ordering::Relaxed);
                if told != Some(done) && tell(&job, Progress { done, variables }) {
                    told = Some(done);
                }
            }
        });
        Self {
            count,
            variables,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// One more has had its turn.
    pub(super) fn count(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How far the evaluation is.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            done: self.count.load(Ordering::Relaxed),
            variables: self.variables,
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say but what is in the log.
            let _ = thread.join();
        }
    }
}

/// Whether it could be written; a progress that nobody can read is no reason to stop.
fn tell(job: &Job, progress: Progress) -> bool {
    let write = || Ledger::open(&job.database_dir)?.set_progress(&job.processing_id, progress);
    write()
        .inspect_err(|why| warn!("how far the job is cannot be written: {why}"))
        .is_ok()
}
