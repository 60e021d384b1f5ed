//! The listener: hears that a run's data has arrived, keeps that, and sees to it that a job follows.

mod batch;
mod planning;
mod renewal;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use runledger_context::run::{Proposal, RunData, RunId};
use runledger_storage::{CellValue, Database};
use tracing::{debug, error, info, warn};

use crate::dispatch::Dispatch;
use crate::job::Job;
use crate::kafka::{Consumer, ConsumerSettings};
use crate::keeper::Keeper;
use crate::ledger::{Ledger, Planned};
use crate::listener_db::{Fate, KEPT, Letter, ListenerDb, PRUNED_AT_ONCE, Sorted};
use crate::message::Message;
use crate::monitor::Numbers;
use crate::notification;
use crate::proposals::Proposals;
use crate::resting::Resting;
use crate::settings::{DataSettings, NotificationSettings};
use crate::watch_lock::WatchLocks;
use crate::{Error, Result};
use batch::{Batch, Order};

/// How long one look at the broker takes; a message that comes is there at once.
const LOOK: Duration = Duration::from_millis(200);
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// How many messages are taken, and how many notifications handled, at once.
const AT_ONCE: usize = 2000;
const LETTERS_AT_ONCE: u32 = 5000;
/// How many runs of one database are written down at once.
const SHARE: usize = 500;
/// After how long the other work has its turn, whatever notifications are left.
const ROUND: Duration = Duration::from_millis(500);
/// How long a database may be held by another program before its notification waits for its next turn: the other
/// proposals go on.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often the inbox forgets what was handled long ago.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How often the numbers are brought up to date.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// How long everything waits while the listener's own database cannot be written.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the last submissions, and the last messages, may take when the listener stops.
const FAREWELL: Duration = Duration::from_secs(2);

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
    /// Messages on the way from Kafka to the inbox.
    heard: Vec<Message>,
    /// Folders that failed just now.
    resting: Resting,
    numbers: Numbers,
    /// When the numbers were last brought up to date.
    measured: Option<Instant>,
    next_pruning: Instant,
    /// Databases that no other listener is to hand runs on from.
    watch_locks: WatchLocks,
}

impl Listener {
    /// A listener in its folder, with the jobs that an earlier one left unfinished.
    ///
    /// # Errors
    /// Its database cannot be used; or it asks for a sandbox, which is not there.
    pub fn open(settings: ListenSettings, dispatch: Dispatch) -> Result<Self> {
        let db = ListenerDb::open_with_patience(&settings.dir, PAUSE)?;
        refuse_sandbox(&db)?;
        dispatch.fall_back(db.may_run_locally()?);
        for site in db.sites()? {
            dispatch.look_at(&site.database_dir);
        }
        let watch_locks = WatchLocks::of(&settings.dir);
        Ok(Self {
            proposals: Proposals::new(settings.data.clone()),
            numbers: Numbers::with(dispatch.numbers()),
            settings,
            db,
            dispatch,
            heard: Vec::new(),
            resting: Resting::default(),
            watch_locks,
            measured: None,
            next_pruning: Instant::now() + PRUNE_EVERY,
        })
    }

    /// Listens until its keeper stops it. Jobs that run then go on; the next listener takes them over.
    ///
    /// # Errors
    /// The Kafka library refuses its settings, or gives up for good.
    pub fn run(mut self, keeper: &impl Keeper<ListenSettings>) -> Result<()> {
        let mut consumer = Consumer::new(self.consumer_settings())?;
        info!(folder = %self.settings.dir.display(), "the listener is ready");
        while !keeper.stop().load(Ordering::Relaxed) {
            keeper.goes_on(&|| self.status());
            if let Some(settings) = keeper.news() {
                self.renew(settings, &mut consumer);
            }
            self.round(&consumer)?;
            self.measure(&consumer);
            self.forget_the_old(&consumer);
        }
        self.close(consumer);
        Ok(())
    }

    /// The listener's own database may be locked, or its disk full, for a while: nothing is taken from Kafka then.
    fn round(&mut self, consumer: &Consumer) -> Result<()> {
        match self.hear(consumer).and_then(|()| self.work()) {
            Err(why @ Error::ListenerDb { .. }) => {
                error!("everything waits: {why}");
                std::thread::sleep(PAUSE);
                Ok(())
            }
            other => other,
        }
    }

    /// For a monitor.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    fn measure(&mut self, consumer: &Consumer) {
        if self
            .measured
            .is_some_and(|when| when.elapsed() < MEASURE_EVERY)
        {
            return;
        }
        self.measured = Some(Instant::now());
        self.numbers.set_lag(&consumer.lag());
        for (state, jobs) in self.dispatch.by_state() {
            self.numbers.jobs().set(state.as_str(), jobs);
        }
        // Where it cannot be read, everything waits, and the log says so.
        if let (Ok(waiting), Ok(dead)) = (self.db.waiting_since(), self.db.dead()) {
            self.numbers.set_inbox(waiting.0, waiting.1, dead);
        }
    }

    /// What was handled long ago, once the broker says that it will not be read again.
    fn forget_the_old(&mut self, consumer: &Consumer) {
        if Instant::now() < self.next_pruning || !consumer.has_joined() {
            return;
        }
        let pruned = consumer
            .committed(PAUSE)
            .and_then(|committed| self.db.prune(&committed, KEPT));
        match pruned {
            // There is more of it.
            Ok(PRUNED_AT_ONCE) => return,
            Ok(pruned) => debug!(pruned, "forgot what was handled long ago"),
            Err(why) => debug!("what was handled long ago is kept for now: {why}"),
        }
        self.next_pruning = Instant::now() + PRUNE_EVERY;
    }

    /// In a few words, for who keeps the listener.
    fn status(&self) -> String {
        let depth = self.db.depth().unwrap_or_default();
        format!(
            "{depth} notifications wait, {} jobs are not at their end",
            self.dispatch.left()
        )
    }

    fn close(self, consumer: Consumer) {
        let dispatch = self.dispatch;
        std::thread::scope(|both| {
            both.spawn(|| dispatch.close(FAREWELL));
            both.spawn(|| consumer.close(FAREWELL));
        });
        info!("the listener has stopped");
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

    /// Takes what came into the inbox; only then Kafka hears that we have it. A backlog is taken first and handled
    /// then, so that much of it is handled at once.
    fn hear(&mut self, consumer: &Consumer) -> Result<()> {
        let (begun, mut patience) = (Instant::now(), self.look());
        loop {
            // What could not be kept last time comes first: Kafka does not give it out again.
            if self.heard.is_empty() {
                self.heard = consumer.poll(patience, AT_ONCE)?;
            }
            self.keep()?;
            consumer.store(&self.heard);
            let is_all = self.heard.len() < AT_ONCE || begun.elapsed() > ROUND;
            self.heard.clear();
            if is_all {
                return Ok(());
            }
            patience = Duration::ZERO;
        }
    }

    /// A listener to which nothing is left to do wakes up for what comes, and hardly else.
    fn look(&self) -> Duration {
        match self.db.depth() {
            Ok(0) => IDLE_LOOK,
            _ => LOOK,
        }
    }

    fn keep(&mut self) -> Result<()> {
        let settings = &self.settings.notifications;
        let sorted: Vec<_> = self
            .heard
            .iter()
            .filter_map(|message| Some((message, sort(message, settings)?)))
            .collect();
        match sorted.is_empty() {
            true => {}
            false => self.db.keep(&sorted)?,
        }
        let dead = |sorted: &&(_, Sorted)| matches!(sorted.1, Sorted::Dead(_));
        (0..sorted.iter().filter(dead).count()).for_each(|_| self.numbers.event("dead"));
        Ok(())
    }

    /// Hands in a notification without Kafka; it is handled like any other.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn hand_in(&mut self, run: RunId, data: RunData) -> Result<()> {
        let settings = &self.settings.notifications;
        let event = settings
            .events
            .iter()
            .find(|(_, announces)| **announces == data)
            .map(|(event, _)| event.clone());
        let event = event.ok_or_else(|| Error::Queue(format!("no event announces {data} data")))?;
        let fields = &settings.fields;
        let payload = serde_json::json!({
            &fields.event: event, &fields.proposal: run.proposal, &fields.run: run.number,
        });
        let message = Message {
            topic: "by hand".into(),
            partition: 0,
            offset: 0,
            timestamp: now_ms(),
            payload: payload.to_string().into_bytes(),
        };
        let sorted = sort(&message, settings).map(|sorted| (&message, sorted));
        self.db.keep(sorted.as_slice())
    }

    /// One round: notifications to jobs. Does not wait for a queue.
    ///
    /// # Errors
    /// The listener's own database refuses.
    pub fn work(&mut self) -> Result<()> {
        let due = self.db.due(LETTERS_AT_ONCE)?;
        if !due.is_empty() {
            self.handle(due)?;
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

    /// Databases whose turn does not come in this round have it in the next one.
    fn handle(&mut self, letters: Vec<Letter>) -> Result<()> {
        let mut batch = Batch::of(letters);
        self.plan(&mut batch)?;
        let begun = Instant::now();
        for (folder, orders) in batch.take_orders(SHARE) {
            match begun.elapsed() > ROUND {
                true => batch.note_all(&orders, &Fate::Untouched),
                false => self.start_share(&folder, &orders, &mut batch),
            }
        }
        self.db.settle(&batch.fates())
    }

    /// A database that fails postpones its own notifications and no others.
    fn start_share(&mut self, folder: &Path, orders: &[Order], batch: &mut Batch) {
        let Err(why) = self.start_if_answering(folder, orders, batch) else {
            return;
        };
        self.numbers.retries(&why, orders.len());
        tell_of_delay(orders[0].job.run.proposal, &why, orders.len());
        let later = Fate::Later(why.with_causes());
        let is_watched = matches!(why, Error::Watched { .. });
        for order in orders {
            let letter = batch.letter_of(order);
            if !(is_watched && is_begun(&order.job, letter)) {
                batch.note(order.letter, later.clone());
            }
        }
    }

    /// A database that failed just now is left alone: a hundred notifications for one that is locked cost the others
    /// no more than one does.
    fn start_if_answering(&mut self, folder: &Path, orders: &[Order], batch: &Batch) -> Result<()> {
        if let Some(reason) = self.resting.reason(folder, Instant::now()) {
            let (folder, reason) = (folder.to_path_buf(), reason.to_owned());
            return Err(Error::Resting { folder, reason });
        }
        let started = self.start(folder, orders, batch);
        match &started {
            Ok(()) => self.resting.answered(folder),
            Err(why) => self
                .resting
                .failed(folder, Instant::now(), why.with_causes()),
        }
        started
    }

    /// The runs' rows, the ledger's entries, then whoever submits them: in this order, so that each step can be repeated.
    fn start(&mut self, folder: &Path, orders: &[Order], batch: &Batch) -> Result<()> {
        let mut db = Database::open_with_timeout(folder, PATIENCE)?;
        self.watch_locks.take(folder)?;
        let sent_at = |order: &Order| batch.letter_of(order).sent_at;
        db.ensure_runs(orders.iter().map(|order| (order.job.run, sent_at(order))))?;
        let mut ledger = Ledger::open_with_patience(folder, PATIENCE)?;
        let planned = ledger.plan_all(&batch::wishes(batch, orders))?;
        for planned in &planned {
            self.numbers.event(followed(planned));
        }
        let all = orders.iter().map(|order| &order.job).zip(planned);
        let new: Vec<Job> = all
            .filter(|(job, planned)| is_new(job, planned))
            .map(|(job, _)| job.clone())
            .collect();
        // Also where none is new: we may have stopped between the ledger and the inbox.
        self.dispatch.planned(folder, new);
        Ok(())
    }
}

/// What is to be done with a message; None: it is none of our business.
fn sort(message: &Message, settings: &NotificationSettings) -> Option<Sorted> {
    match notification::parse(&message.payload, settings) {
        Ok(Some(_)) => Some(Sorted::ForUs),
        Ok(None) => None,
        Err(why) => {
            let (topic, partition, offset) = (&message.topic, message.partition, message.offset);
            warn!(topic, partition, offset, "kept as a dead letter: {why}");
            Some(Sorted::Dead(why.to_string()))
        }
    }
}

/// In a word, for the numbers.
fn followed(planned: &Planned) -> &'static str {
    match planned {
        Planned::New => "job",
        Planned::SameSource { .. } => "known",
        Planned::Coalesced { .. } => "coalesced",
    }
}

/// Whether this job was planned just now, and not an earlier one that does for it.
fn is_new(job: &Job, planned: &Planned) -> bool {
    let (proposal, run, data) = (job.run.proposal.0, job.run.number.0, job.data.as_str());
    match planned {
        Planned::New => {
            info!(proposal, run, data, folder = %job.database_dir.display(), "job planned");
        }
        Planned::SameSource { state, .. } => {
            let state = state.as_str();
            info!(proposal, run, data, state, "has its job already");
        }
        Planned::Coalesced { .. } => {
            info!(
                proposal,
                run, data, "a job that has not started yet will see it"
            );
        }
    }
    *planned == Planned::New
}

/// Whether the listener that watches a database has seen to what a notification tells of.
fn is_begun(job: &Job, letter: &Letter) -> bool {
    Ledger::open_with_patience(&job.database_dir, PATIENCE)
        .and_then(|ledger| ledger.is_begun(job, &letter.source, letter.sent_at))
        // What cannot be told now is asked again at the next turn.
        .unwrap_or(false)
}

/// Said once for each time that a folder fails, not for every notification that waits for it.
fn tell_of_delay(proposal: Proposal, why: &Error, notifications: usize) {
    let (proposal, reason) = (proposal.0, why.with_causes());
    match why {
        Error::Resting { .. } => {
            debug!(proposal, notifications, "waits for its next try: {reason}")
        }
        _ => warn!(proposal, notifications, "waits for its next try: {reason}"),
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
