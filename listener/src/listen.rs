//! The listener: hears that a run's data has arrived, keeps that, and sees to it that a job follows.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use runledger_context::run::{Proposal, RunData, RunId};
use runledger_storage::{CellValue, Database};
use tracing::{debug, info, warn};

use crate::dispatch::Dispatch;
use crate::job::Job;
use crate::kafka::{Consumer, ConsumerSettings};
use crate::ledger::{Ledger, Planned};
use crate::listener_db::{Letter, ListenerDb, Sorted};
use crate::message::Message;
use crate::notification::{self, Notification};
use crate::plan::plan;
use crate::proposals::Proposals;
use crate::resting::Resting;
use crate::settings::{DataSettings, NotificationSettings};
use crate::{Error, Result};

/// How long one look at the broker takes; a message that comes is there at once.
const LOOK: Duration = Duration::from_millis(200);
/// How many messages are taken, and how many notifications handled, at once.
const AT_ONCE: usize = 500;
const LETTERS_AT_ONCE: u32 = 100;
/// After how long the other work has its turn, whatever notifications are left.
const ROUND: Duration = Duration::from_millis(500);
/// How long a database may be held by another program before its notification waits for its next turn: the other
/// proposals go on.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the last submissions, and the last messages, may take when the listener stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// Where a proposal's database is, below the proposal's folder.
const USUAL: &str = "usr/Shared/amore";

/// How the listener works.
#[derive(Debug, Clone)]
pub struct ListenSettings {
    /// The listener's folder.
    pub dir: PathBuf,
    /// What to hear; its brokers are not asked when notifications are handed in by hand.
    pub notifications: NotificationSettings,
    /// Where proposals are.
    pub data: DataSettings,
}

/// A listener at work.
pub struct Listener {
    settings: ListenSettings,
    db: ListenerDb,
    proposals: Proposals,
    /// Sees to it that what is planned is done.
    dispatch: Dispatch,
    /// Folders that failed just now.
    resting: Resting,
}

impl Listener {
    /// A listener in its folder, with the jobs that an earlier one left unfinished.
    ///
    /// # Errors
    /// Its database cannot be used; or it asks for a sandbox, which is not there.
    pub fn open(settings: ListenSettings, dispatch: Dispatch) -> Result<Self> {
        let db = ListenerDb::open(&settings.dir)?;
        refuse_sandbox(&db)?;
        for site in db.sites()? {
            dispatch.look_at(&site.database_dir);
        }
        Ok(Self {
            proposals: Proposals::new(settings.data.clone()),
            settings,
            db,
            dispatch,
            resting: Resting::default(),
        })
    }

    /// Listens until `stop` is raised. Jobs that run then go on; the next listener takes them over.
    ///
    /// # Errors
    /// The listener's own database or the Kafka library refuse.
    pub fn run(mut self, stop: &AtomicBool) -> Result<()> {
        let consumer = Consumer::new(self.consumer_settings())?;
        info!(folder = %self.settings.dir.display(), "the listener is ready");
        while !stop.load(Ordering::Relaxed) {
            self.hear(&consumer)?;
            self.work()?;
        }
        self.dispatch.close(FAREWELL);
        consumer.close(FAREWELL);
        info!("the listener has stopped");
        Ok(())
    }

    fn consumer_settings(&self) -> ConsumerSettings {
        let set = &self.settings.notifications;
        let group_id = match set.group_id.as_str() {
            "" => format!(
                "xfel-da-damnit-{}",
                self.settings.dir.to_string_lossy().replace('/', "_")
            ),
            named => named.to_owned(),
        };
        ConsumerSettings {
            brokers: set.brokers.join(","),
            topics: set.topics.clone(),
            group_id,
            start: set.start_from.0,
            properties: set.properties.clone(),
        }
    }

    /// Takes what came into the inbox; only then Kafka hears that we have it.
    fn hear(&mut self, consumer: &Consumer) -> Result<()> {
        let messages = consumer.poll(LOOK, AT_ONCE)?;
        if !messages.is_empty() {
            self.keep(&messages)?;
            consumer.store(&messages);
        }
        Ok(())
    }

    fn keep(&mut self, messages: &[Message]) -> Result<()> {
        let events = &self.settings.notifications.events;
        let sort = |message: &Message| match notification::parse(&message.payload, events) {
            Ok(Some(_)) => Some(Sorted::ForUs),
            Ok(None) => None,
            Err(why) => {
                warn!(
                    topic = message.topic,
                    offset = message.offset,
                    "kept as a dead letter: {why}"
                );
                Some(Sorted::Dead(why.to_string()))
            }
        };
        let sorted: Vec<_> = messages
            .iter()
            .filter_map(|message| Some((message, sort(message)?)))
            .collect();
        match sorted.is_empty() {
            true => Ok(()),
            false => self.db.keep(&sorted),
        }
    }

    /// Hands in a notification without Kafka; it is handled like any other.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn hand_in(&mut self, run: RunId, data: RunData) -> Result<()> {
        let events = &self.settings.notifications.events;
        let event = events
            .iter()
            .find(|(_, announces)| **announces == data)
            .map(|(event, _)| event.clone());
        let event = event.ok_or_else(|| Error::Queue(format!("no event announces {data} data")))?;
        let payload =
            serde_json::json!({"event": event, "proposal": run.proposal, "run": run.number});
        let message = Message {
            topic: "by hand".into(),
            partition: 0,
            offset: 0,
            timestamp: now_ms(),
            payload: payload.to_string().into_bytes(),
        };
        self.keep(&[message])
    }

    /// One round: notifications to jobs. Does not wait for a queue.
    ///
    /// # Errors
    /// The listener's own database refuses.
    pub fn work(&mut self) -> Result<()> {
        let begun = Instant::now();
        for letter in self.db.due(LETTERS_AT_ONCE)? {
            self.handle(&letter)?;
            if begun.elapsed() > ROUND {
                break;
            }
        }
        Ok(())
    }

    /// How much there is to do: notifications, jobs that wait, jobs that run.
    ///
    /// # Errors
    /// The listener's own database refuses.
    pub fn left(&self) -> Result<usize> {
        Ok(self.db.depth()? as usize + self.dispatch.left())
    }

    fn handle(&mut self, letter: &Letter) -> Result<()> {
        let events = &self.settings.notifications.events;
        let notification = match notification::parse(&letter.payload, events) {
            Ok(Some(notification)) => notification,
            Ok(None) => {
                return self
                    .db
                    .give_up(letter, "no event of this name announces data");
            }
            Err(why) => return self.db.give_up(letter, &why.to_string()),
        };
        match self.start_jobs(&notification, letter) {
            Ok(()) => self.db.handled(letter),
            Err(why) => {
                tell_of_delay(&notification, &why);
                self.db.postpone(letter, &why.with_causes())
            }
        }
    }

    /// Every database gets its turn, also where another one fails; the first failure is returned.
    fn start_jobs(&mut self, notification: &Notification, letter: &Letter) -> Result<()> {
        let usual = self.usual_database(notification.run.proposal);
        let found = usual.as_ref().ok().and_then(Option::as_deref);
        let plan = plan(notification, &self.db.sites()?, found);
        if let Some(site) = &plan.register {
            info!(proposal = site.proposal.0, folder = %site.database_dir.display(), "watching a new database");
            self.db.watch(site)?;
        }
        let mut first_failure = usual.map(drop);
        for job in plan.jobs {
            let started = self.start_if_answering(job, letter);
            first_failure = first_failure.and(started);
        }
        first_failure
    }

    /// In dynamic mode, the proposal's own database, if it has one.
    fn usual_database(&mut self, proposal: Proposal) -> Result<Option<PathBuf>> {
        if self.db.is_static()? {
            return Ok(None);
        }
        let Some(folder) = self.proposals.find(proposal) else {
            return self.miss_no_root().map(|()| None);
        };
        let usual = folder.join(USUAL);
        Ok(usual.join("runs.sqlite").is_file().then_some(usual))
    }

    /// A proposal that was not found has no folder only if the data root is there.
    fn miss_no_root(&mut self) -> Result<()> {
        let (root, now) = (self.settings.data.root.clone(), Instant::now());
        if let Some(reason) = self.resting.reason(&root, now) {
            let (folder, reason) = (root, reason.to_owned());
            return Err(Error::Resting { folder, reason });
        }
        match self.proposals.root() {
            Ok(_) => self.resting.answered(&root),
            Err(why) => {
                self.resting.failed(&root, now, why.to_string());
                return Err(why);
            }
        }
        Ok(())
    }

    /// A database that failed just now is left alone: a hundred notifications for one that is locked cost the others
    /// no more than one does.
    fn start_if_answering(&mut self, job: Job, letter: &Letter) -> Result<()> {
        let folder = job.database_dir.clone();
        if let Some(reason) = self.resting.reason(&folder, Instant::now()) {
            let reason = reason.to_owned();
            return Err(Error::Resting { folder, reason });
        }
        let started = self.start(job, letter);
        match &started {
            Ok(()) => self.resting.answered(&folder),
            Err(why) => self
                .resting
                .failed(&folder, Instant::now(), why.with_causes()),
        }
        started
    }

    /// The run's row, the ledger's entry, then whoever submits it: in this order, so that each step can be repeated.
    fn start(&mut self, job: Job, letter: &Letter) -> Result<()> {
        let mut db = Database::open_with_timeout(&job.database_dir, PATIENCE)?;
        db.ensure_run(job.run, letter.sent_at)?;
        let (proposal, run, data) = (job.run.proposal.0, job.run.number.0, job.data.as_str());
        match Ledger::open(&job.database_dir)?.plan(Some(&letter.source), &job)? {
            Planned::New => {
                info!(proposal, run, data, folder = %job.database_dir.display(), "job planned");
                self.dispatch.planned(&job.database_dir.clone(), [job]);
            }
            // We stopped between the ledger and the inbox.
            Planned::SameSource { .. } => self.dispatch.look_at(&job.database_dir),
            Planned::Coalesced { .. } => {
                info!(
                    proposal,
                    run, data, "a job that has not started yet will see it"
                );
            }
        }
        Ok(())
    }
}

/// Said once for each time that a folder fails, not for every notification that waits for it.
fn tell_of_delay(notification: &Notification, why: &Error) {
    let (proposal, run) = (notification.run.proposal.0, notification.run.number.0);
    let reason = why.with_causes();
    match why {
        Error::Resting { .. } => debug!(proposal, run, "waits for its next try: {reason}"),
        _ => warn!(proposal, run, "waits for its next try: {reason}"),
    }
}

/// A sandbox that is asked for and not there must not be left out silently.
fn refuse_sandbox(db: &ListenerDb) -> Result<()> {
    match db.setting("sandbox_args")? {
        Some(CellValue::Text(arguments)) if !arguments.is_empty() => Err(Error::NoSandbox {
            path: db.path().into(),
        }),
        _ => Ok(()),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
