//! What a job tells its database's clients, while it runs and from a second thread.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::warn;

use crate::job::Job;
use crate::ledger::Ledger;
use crate::publisher::Publisher;
use crate::queue::Surroundings;
use crate::updates::Update;

/// How often clients hear that the job still runs.
const STILL_RUNNING: Duration = Duration::from_secs(10);

/// A job's way to its clients.
#[derive(Clone)]
pub(super) struct Telling {
    publisher: Arc<Mutex<Publisher>>,
    job: Job,
    topic: String,
}

impl Telling {
    pub(super) fn new(publisher: Publisher, job: &Job, topic: String) -> Self {
        Self {
            publisher: Arc::new(Mutex::new(publisher)),
            job: job.clone(),
            topic,
        }
    }

    /// To the database's own topic.
    pub(super) fn tell(&self, update: &Update) {
        let mut publisher = self.lock();
        publisher.publish(&self.job.database_dir, &self.topic, update);
        publisher.advance();
    }

    /// The queue may lose sight of the job: the ledger does not.
    fn see(&self, attempt: u32) {
        let job = &self.job;
        let seen = Ledger::open(&job.database_dir)
            .and_then(|ledger| ledger.see(&job.processing_id, attempt));
        if let Err(why) = seen {
            warn!("that the job still runs cannot be written down: {why}");
        }
    }

    /// Waits, not for long, until all is delivered; what is left waits in the outbox.
    pub(super) fn close(self, patience: Duration) {
        if let Some(publisher) = Arc::into_inner(self.publisher) {
            let publisher = publisher
                .into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            publisher.close(patience);
        }
    }

    /// Gives the publisher to another part of the same job.
    pub(super) fn lock(&self) -> MutexGuard<'_, Publisher> {
        self.publisher
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// In a queue on other machines the ledger hears of it at each so many times.
const IN_LEDGER: u32 = 3;

/// Says that the job runs, again and again until it is dropped: a window that is opened later hears it too.
pub(super) struct Heartbeat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    pub(super) fn start(telling: &Telling, attempt: u32, surroundings: &Surroundings) -> Self {
        let running = Update::running(&telling.job, surroundings);
        telling.tell(&running);
        let (stop, stopped) = channel();
        let telling = telling.clone();
        let is_elsewhere = surroundings.queue_id.is_some();
        let thread = std::thread::spawn(move || {
            let mut times = 0;
            while stopped.recv_timeout(STILL_RUNNING) == Err(RecvTimeoutError::Timeout) {
                telling.tell(&running);
                times += 1;
                if is_elsewhere && times % IN_LEDGER == 0 {
                    telling.see(attempt);
                }
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It only sends messages; what became of those is in the publisher.
            let _ = thread.join();
        }
    }
}
