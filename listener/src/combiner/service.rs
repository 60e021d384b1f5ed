//! The combiner as a service: hears of fragments, looks for those that nobody announced, merges both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tracing::{debug, error, info, warn};

use super::merge_run;
use super::merging::combine_until;
use super::request::{Refusal, Submission};
use crate::Result;
use crate::kafka::{Consumer, ConsumerSettings};
use crate::message::Message;
use crate::publisher::{Publisher, PublisherSettings};

/// How long one look at the broker takes.
const LOOK: Duration = Duration::from_millis(200);
/// How many messages are taken at once.
const AT_ONCE: usize = 500;
/// How long another program may hold a table before its runs wait for their next turn: the others go on.
const BUSY: Duration = Duration::from_secs(1);
/// A fragment that was announced and cannot be seen is waited for this long; after that, looking finds it.
const PATIENCE: Duration = Duration::from_secs(600);
/// How soon a merge that failed is tried again; twice as long after each failure, up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How often the known folders are looked through.
const RESCAN: Duration = Duration::from_secs(60);
/// How long the last messages, and then the group, may take when the service stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// How the service works.
#[derive(Debug, Clone)]
pub struct CombinerSettings {
    /// Where fragments are announced; None: only the known folders are looked through.
    pub consumer: Option<ConsumerSettings>,
    /// Where the news goes.
    pub publisher: PublisherSettings,
    /// Folders to look through from the start.
    pub folders: Vec<PathBuf>,
}

/// Runs until `stop` is raised.
///
/// # Errors
/// The Kafka library refuses its settings.
pub fn run_service(settings: CombinerSettings, stop: &AtomicBool) -> Result<()> {
    let mut service = Service {
        consumer: settings.consumer.map(Consumer::new).transpose()?,
        publisher: Publisher::new(&settings.publisher)?,
        folders: settings.folders.into_iter().collect(),
        open: VecDeque::new(),
        merged: Merged::default(),
        next_scan: Instant::now(),
    };
    info!(folders = service.folders.len(), "the combiner is ready");
    while !stop.load(Ordering::Relaxed) {
        service.hear()?;
        service.merge_announced(stop);
        service.look_around(stop);
        service.publisher.advance();
    }
    service.publisher.close(FAREWELL);
    if let Some(consumer) = service.consumer {
        consumer.close(FAREWELL);
    }
    info!("the combiner has stopped");
    Ok(())
}

struct Service {
    consumer: Option<Consumer>,
    publisher: Publisher,
    folders: BTreeSet<PathBuf>,
    /// Messages whose position is not stored yet, in the order in which they came.
    open: VecDeque<Open>,
    /// Fragments merged of late, some of them before their announcement was heard.
    merged: Merged,
    next_scan: Instant,
}

/// The latest merged fragments; names are never used again.
#[derive(Default)]
struct Merged {
    paths: BTreeSet<PathBuf>,
    order: VecDeque<PathBuf>,
}

impl Merged {
    const AT_MOST: usize = 10_000;

    fn add(&mut self, fragments: Vec<PathBuf>) {
        for path in fragments {
            self.order.push_back(path.clone());
            self.paths.insert(path);
        }
        while self.order.len() > Self::AT_MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.paths.remove(&oldest);
            }
        }
    }
}

struct Open {
    message: Message,
    /// What is still to be done.
    todo: Option<Todo>,
}

struct Todo {
    submission: Submission,
    since: Instant,
    next_try: Instant,
    wait: Duration,
}

impl Service {
    fn hear(&mut self) -> Result<()> {
        let Some(consumer) = &self.consumer else {
            std::thread::sleep(LOOK);
            return Ok(());
        };
        for message in consumer.poll(LOOK, AT_ONCE)? {
            let todo = match Submission::parse(&message.payload) {
                Ok(submission) => {
                    self.folders.insert(submission.database_dir.clone());
                    Some(Todo::of(submission))
                }
                Err(Refusal::NotForUs) => None,
                Err(why) => {
                    warn!(
                        offset = message.offset,
                        "a file submission is refused: {why}"
                    );
                    None
                }
            };
            self.open.push_back(Open { message, todo });
        }
        Ok(())
    }

    /// Tries what is due; when `stop` is raised, the rest is heard again after the next start.
    fn merge_announced(&mut self, stop: &AtomicBool) {
        let now = Instant::now();
        // Folders in which something failed just now: what else is due there would wait for the same.
        let mut stuck: BTreeSet<PathBuf> = BTreeSet::new();
        for open in &mut self.open {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let Some(todo) = open.todo.as_mut().filter(|todo| todo.next_try <= now) else {
                continue;
            };
            if stuck.contains(&todo.submission.database_dir) {
                todo.next_try = Instant::now() + FIRST_RETRY;
                continue;
            }
            match todo.advance(&mut self.publisher, &mut self.merged) {
                Step::Done => open.todo = None,
                Step::NotThere => {}
                Step::Failed => {
                    stuck.insert(todo.submission.database_dir.clone());
                }
            }
        }
        self.store_done();
    }

    /// Moves the group's position behind what is done without a gap.
    fn store_done(&mut self) {
        let mut done = Vec::new();
        let mut blocked: BTreeSet<(String, i32)> = BTreeSet::new();
        let mut rest = VecDeque::new();
        for open in self.open.drain(..) {
            let partition = (open.message.topic.clone(), open.message.partition);
            if open.todo.is_some() || blocked.contains(&partition) {
                blocked.insert(partition);
                rest.push_back(open);
            } else {
                done.push(open.message);
            }
        }
        self.open = rest;
        if let Some(consumer) = &self.consumer {
            consumer.store(&done);
        }
    }

    /// Fragments that nobody announced, and messages that wait.
    fn look_around(&mut self, stop: &AtomicBool) {
        if Instant::now() < self.next_scan {
            return;
        }
        for folder in self.folders.clone() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            self.look_into(&folder, stop);
        }
        self.next_scan = Instant::now() + RESCAN;
    }

    fn look_into(&mut self, folder: &Path, stop: &AtomicBool) {
        match combine_until(stop, folder, BUSY, &mut self.publisher) {
            Ok(combined) => {
                self.merged.add(combined.fragments);
                let waiting: BTreeMap<_, _> = combined.waiting.into_iter().collect();
                for (run, why) in waiting {
                    warn!(%run, "its fragments wait: {why}");
                }
            }
            Err(why) => error!("cannot look for fragments in {}: {why}", folder.display()),
        }
    }
}

impl Todo {
    fn of(submission: Submission) -> Self {
        let now = Instant::now();
        Self {
            submission,
            since: now,
            next_try: now,
            wait: FIRST_RETRY,
        }
    }

    /// Tries to merge what was announced.
    fn advance(&mut self, publisher: &mut Publisher, merged: &mut Merged) -> Step {
        if merged.paths.contains(&self.submission.fragment) {
            return Step::Done;
        }
        if !self.submission.is_there() {
            return self.miss();
        }
        let Submission {
            database_dir, run, ..
        } = &self.submission;
        // The run's other fragments come along, in the order in which they were written.
        let why = match merge_run(database_dir, *run, BUSY, publisher) {
            Ok(combined) => {
                merged.add(combined.fragments);
                "it is there still".to_owned()
            }
            Err(why) => why.to_string(),
        };
        // Also where it was broken, and is set aside now.
        if !self.submission.is_there() {
            return Step::Done;
        }
        self.postpone(&why);
        Step::Failed
    }

    fn miss(&mut self) -> Step {
        if self.since.elapsed() > PATIENCE {
            let Submission { fragment, run, .. } = &self.submission;
            info!(%run, "{} is not there; merged already, or found by looking later", fragment.display());
            return Step::Done;
        }
        self.postpone("it cannot be seen yet");
        Step::NotThere
    }

    fn postpone(&mut self, why: &str) {
        let Submission { fragment, run, .. } = &self.submission;
        debug!(%run, "{} waits: {why}", fragment.display());
        if self.wait >= LONGEST_RETRY {
            warn!(%run, "{} still waits: {why}", fragment.display());
        }
        self.next_try = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(LONGEST_RETRY);
    }
}

/// What came of a try.
enum Step {
    /// Nothing is left to do.
    Done,
    /// The fragment cannot be seen; that costs nobody any time.
    NotThere,
    /// It is there and cannot be merged now.
    Failed,
}
