//! The combiner as a service: hears of fragments, looks for those that nobody announced, has both merged.
//!
//! It does none of the work itself and waits for nobody: one merge that takes long holds up nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use runledger_context::run::RunId;
use tracing::{debug, error, info, warn};

use super::hearing::Hearing;
use super::known_folders::KnownFolders;
use super::positions::{Place, Positions};
use super::request::{Refusal, Submission};
use super::schedule::{FIRST_RETRY, LONGEST_RETRY, Schedule, Task};
use super::work::{Answer, Work};
use super::workers::{Number, Workers};
use crate::Result;
use crate::kafka::ConsumerSettings;
use crate::keeper::Keeper;
use crate::message::Message;
use crate::publisher::{Publisher, PublisherSettings};

/// How long nothing may happen before the clock is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A fragment that was announced and cannot be seen is waited for this long; after that, looking finds it.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the known folders are looked through.
const RESCAN: Duration = Duration::from_secs(60);
/// How long the merges at hand, then the last messages, then the group may take when the service stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// How the service works.
#[derive(Debug, Clone)]
pub struct CombinerSettings {
    /// Its own folder: the databases that a listener there watches are looked through, and it is remembered there
    /// which others are.
    pub dir: PathBuf,
    /// Where fragments are announced; None: only the known folders are looked through.
    pub consumer: Option<ConsumerSettings>,
    /// Where the news goes.
    pub publisher: PublisherSettings,
    /// The command line of a process that does as [`serve_requests`](super::serve_requests). None: all is merged in
    /// this process, where merges wait for each other.
    pub worker: Option<Vec<OsString>>,
}

/// Runs until its keeper stops it.
///
/// # Errors
/// The Kafka library refuses its settings, or gives up.
pub fn run_service(settings: CombinerSettings, keeper: &impl Keeper<()>) -> Result<()> {
    let (events, heard) = mpsc::channel();
    let publisher = Publisher::new(&settings.publisher)?;
    let hearing = settings
        .consumer
        .map(|consumer| Hearing::start(consumer, events.clone(), Event::Heard))
        .transpose()?;
    let (news, teller) = start_telling(publisher);
    let mut service = Service {
        workers: Workers::new(settings.worker, settings.publisher.broker.is_some()),
        folders: KnownFolders::of(&settings.dir),
        hearing,
        news,
        events,
        schedule: Schedule::default(),
        positions: Positions::default(),
        under_way: BTreeMap::new(),
        found: BTreeSet::new(),
        merged: Merged::default(),
        next_scan: Instant::now(),
    };
    info!(folder = %settings.dir.display(), "the combiner is ready");
    let served = service.serve(&heard, keeper);
    service.close(&heard);
    if teller.join().is_err() {
        error!("the thread that publishes has panicked");
    }
    info!("the combiner has stopped");
    served
}

/// What the service hears.
enum Event {
    Heard(Result<Vec<Message>>),
    Answered(Number, Answer),
}

/// Publishes what is in the outboxes of the folders that are named, in a thread of its own.
fn start_telling(mut publisher: Publisher) -> (Sender<PathBuf>, JoinHandle<()>) {
    let (news, folders) = mpsc::channel::<PathBuf>();
    let thread = thread::spawn(move || {
        loop {
            match folders.recv_timeout(LOOK) {
                Ok(folder) => publisher.send_kept(&folder),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            publisher.advance();
        }
        publisher.close(FAREWELL);
    });
    (news, thread)
}

struct Service {
    workers: Workers,
    folders: KnownFolders,
    hearing: Option<Hearing>,
    news: Sender<PathBuf>,
    events: Sender<Event>,
    schedule: Schedule,
    positions: Positions,
    /// What each worker is at.
    under_way: BTreeMap<Number, Task>,
    /// Runs that looking found, until they have had their turn.
    found: BTreeSet<(PathBuf, Option<RunId>)>,
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

impl Service {
    fn serve(&mut self, heard: &Receiver<Event>, keeper: &impl Keeper<()>) -> Result<()> {
        while !keeper.stop().load(Ordering::Relaxed) {
            keeper.goes_on(&|| self.status());
            if let Ok(event) = heard.recv_timeout(LOOK) {
                self.take(event)?;
            }
            while let Ok(event) = heard.try_recv() {
                self.take(event)?;
            }
            self.look_around();
            self.give_out();
        }
        Ok(())
    }

    /// In a few words, for who keeps the service.
    fn status(&self) -> String {
        format!(
            "{} merges under way, {} folders known",
            self.under_way.len(),
            self.folders.count()
        )
    }

    /// What is being merged may end, so that it need not be heard again.
    fn close(mut self, heard: &Receiver<Event>) {
        let until = Instant::now() + FAREWELL;
        while !self.under_way.is_empty()
            && let Ok(event) = heard.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if let Event::Answered(number, answer) = event {
                self.answered(number, answer);
            }
        }
        drop(self.news);
        if let Some(hearing) = self.hearing {
            hearing.close(FAREWELL);
        }
    }

    fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Heard(messages) => messages?.iter().for_each(|message| self.hear(message)),
            Event::Answered(number, answer) => self.answered(number, answer),
        }
        Ok(())
    }

    fn hear(&mut self, message: &Message) {
        let offset = message.offset;
        let submission = Submission::parse(&message.payload);
        let message = Some((self.positions.heard(message), message.timestamp));
        match submission {
            Ok(submission) => self.plan(Work::Follow(submission), message),
            Err(why) => {
                if why != Refusal::NotForUs {
                    warn!(offset, "a file submission is refused: {why}");
                }
                self.done_with(message);
            }
        }
    }

    fn plan(&mut self, work: Work, message: Option<(Place, i64)>) {
        let task = Task {
            work,
            message,
            wait: FIRST_RETRY,
        };
        self.schedule.add(task, Instant::now());
    }

    /// Fragments that nobody announced, and messages that wait.
    fn look_around(&mut self) {
        if Instant::now() < self.next_scan {
            return;
        }
        self.next_scan = Instant::now() + RESCAN;
        for folder in self.folders.all() {
            self.plan_found(Work::Look(folder));
        }
    }

    /// What looking asks for again and again is planned once.
    fn plan_found(&mut self, work: Work) {
        if self.found.insert((work.folder().into(), work.run())) {
            self.plan(work, None);
        }
    }

    fn give_out(&mut self) {
        while self.workers.is_one_free()
            && let Some(task) = self.schedule.next(Instant::now())
        {
            if self.is_merged(&task) {
                self.schedule.ended(&task.work);
                self.done_with(task.message);
                continue;
            }
            let number = self
                .workers
                .give(task.work.clone(), &self.events, Event::Answered);
            self.under_way.insert(number, task);
        }
    }

    /// The run's other fragments come along with each.
    fn is_merged(&self, task: &Task) -> bool {
        matches!(&task.work, Work::Follow(submission) if self.merged.paths.contains(&submission.fragment))
    }

    fn answered(&mut self, number: Number, answer: Answer) {
        self.workers.is_free(number);
        let Some(task) = self.under_way.remove(&number) else {
            return;
        };
        self.schedule.ended(&task.work);
        if task.message.is_none() {
            self.found
                .remove(&(task.work.folder().into(), task.work.run()));
        }
        if task.message.is_some() && !matches!(answer, Answer::Refused(_)) {
            self.folders.add(task.work.folder());
        }
        match answer {
            Answer::Seen { runs, news } => self.seen(task.work.folder(), runs, news),
            Answer::Done(fragments) => self.done(task, fragments),
            Answer::NotThere => self.missed(task),
            Answer::Refused(why) => {
                warn!("a file submission is refused: {why}");
                self.done_with(task.message);
            }
            Answer::Failed(why) | Answer::Busy(why) => {
                let folder = task.work.folder().to_path_buf();
                self.schedule.rest(&folder, Instant::now() + FIRST_RETRY);
                self.postpone(task, &why);
            }
        }
    }

    fn seen(&mut self, folder: &Path, runs: Vec<RunId>, news: bool) {
        for run in runs {
            self.plan_found(Work::Merge(folder.into(), run));
        }
        if news {
            self.tell(folder);
        }
    }

    fn done(&mut self, task: Task, fragments: Vec<PathBuf>) {
        if !fragments.is_empty() {
            self.tell(task.work.folder());
        }
        self.merged.add(fragments);
        self.done_with(task.message);
    }

    fn tell(&self, folder: &Path) {
        // Where the thread has ended, the next service finds the outbox by looking.
        let _ = self.news.send(folder.into());
    }

    /// Nothing is left to do for a message.
    fn done_with(&mut self, message: Option<(Place, i64)>) {
        let behind = message.and_then(|(place, _)| self.positions.done(place));
        if let (Some(place), Some(hearing)) = (behind, &self.hearing) {
            hearing.store(place);
        }
    }

    fn missed(&mut self, task: Task) {
        let sent = task.message.as_ref().map_or(0, |(_, sent)| *sent);
        if since(sent) <= PATIENCE {
            return self.postpone(task, "it cannot be seen yet");
        }
        debug!(
            "{:?} is not there; merged already, or found by looking later",
            task.work
        );
        self.done_with(task.message);
    }

    /// What looking found is found again.
    fn postpone(&mut self, mut task: Task, why: &str) {
        let folder = task.work.folder().display().to_string();
        let run = task
            .work
            .run()
            .map(|run| run.to_string())
            .unwrap_or_default();
        if task.message.is_none() || task.wait >= LONGEST_RETRY {
            warn!(run, folder, "its fragments wait: {why}");
        } else {
            debug!(run, folder, "its fragments wait: {why}");
        }
        if task.message.is_some() {
            let when = Instant::now() + task.wait;
            task.wait = (task.wait * 2).min(LONGEST_RETRY);
            self.schedule.add(task, when);
        }
    }
}

/// How long ago a moment was, in milliseconds since 1970.
fn since(sent: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let sent = Duration::from_millis(u64::try_from(sent).unwrap_or(0));
    now.unwrap_or_default().saturating_sub(sent)
}
