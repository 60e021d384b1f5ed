//! The combiner as a service: hears of fragments, looks for those that nobody announced, has both merged.
//!
//! It does none of the work itself and waits for nobody: one merge that takes long holds up nothing else.

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use runledger_context::run::RunId;
use tracing::{error, info, warn};

use super::hearing::Hearing;
use super::known_folders::KnownFolders;
use super::merged::Merged;
use super::news::start_telling;
use super::positions::{Place, Positions};
use super::request::{Refusal, Submission};
use super::schedule::{FIRST_RETRY, Schedule, Task};
use super::work::{Answer, Work};
use super::workers::{Number, Workers};
use crate::Result;
use crate::kafka::ConsumerSettings;
use crate::keeper::Keeper;
use crate::message::Message;
use crate::publisher::{Publisher, PublisherSettings};

/// How long nothing may happen before the clock is looked at.
const LOOK: Duration = Duration::from_millis(200);
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
    merged: Merged,
    next_scan: Instant,
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
        let until = answers::awaited_until(message.timestamp);
        let message = Some((self.positions.heard(message), until));
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

    fn plan(&mut self, work: Work, message: Option<(Place, Instant)>) {
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
        matches!(&task.work, Work::Follow(submission) if self.merged.has(&submission.fragment))
    }
}
