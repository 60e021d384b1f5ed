//! The listener: hears that a run's data has arrived, keeps that, and sees to it that a job follows.

mod batch;
mod hearing;
mod measuring;
mod planning;
mod renewal;
mod starting;
mod waking;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use runledger_context::run::Proposal;
use tracing::{debug, error, info, warn};

use crate::dispatch::{Dispatch, DispatchSettings};
use crate::kafka::Consumer;
use crate::keeper::Keeper;
use crate::listener_db::ListenerDb;
use crate::message::Message;
use crate::monitor::{Monitor, Numbers};
use crate::proposals::Proposals;
use crate::publisher::PublisherSettings;
use crate::resting::Resting;
use crate::settings::{DataSettings, NotificationSettings};
use crate::{Error, Result};
use measuring::PRUNE_EVERY;

/// How many notifications are handled at once.
const LETTERS_AT_ONCE: u32 = 5000;
/// After how long the other work has its turn, whatever notifications are left.
const ROUND: Duration = Duration::from_millis(500);
/// How long a database may be held by another program before its notification waits for its next turn: the other
/// proposals go on.
const PATIENCE: Duration = Duration::from_millis(200);
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
    /// Where the news goes once the settings are renewed; until then the dispatch has its own.
    pub publisher: PublisherSettings,
    /// How jobs are submitted once the settings are renewed; until then the dispatch has its own.
    pub dispatch: DispatchSettings,
    /// `host:port` at which a monitor may ask for the numbers; empty: nowhere.
    pub monitor: String,
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
    /// Who gives the numbers away.
    monitor: Option<Monitor>,
    /// When the numbers were last brought up to date.
    measured: Option<Instant>,
    next_pruning: Instant,
}

impl Listener {
    /// A listener in its folder, with the jobs that an earlier one left unfinished.
    ///
    /// # Errors
    /// Its database cannot be used; or its sandbox's wrapper is no command line; or its monitor's address cannot be had.
    pub fn open(settings: ListenSettings, dispatch: Dispatch) -> Result<Self> {
        let db = ListenerDb::open_with_patience(&settings.dir, PAUSE)?;
        dispatch.wrap_in(&db.wrapper()?);
        dispatch.fall_back(db.may_run_locally()?);
        dispatch.tell_of_ends();
        for site in db.sites()? {
            dispatch.look_at(&site.database_dir);
        }
        let numbers = Numbers::with(dispatch.numbers());
        Ok(Self {
            proposals: Proposals::new(settings.data.clone()),
            monitor: measuring::monitor(&settings.monitor, &numbers)?,
            numbers,
            settings,
            db,
            dispatch,
            heard: Vec::new(),
            resting: Resting::default(),
            measured: None,
            next_pruning: Instant::now() + PRUNE_EVERY,
        })
    }

    /// Listens until its keeper stops it. Jobs that run then go on; the next listener takes them over.
    ///
    /// # Errors
    /// The Kafka library refuses its settings, or gives up for good.
    pub fn run(mut self, keeper: &impl Keeper<ListenSettings>) -> Result<()> {
        let mut consumer = Consumer::having_heard(self.db.heard()?, self.consumer_settings())?;
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
            Err(why @ (Error::ListenerDb { .. } | Error::Sandbox(_))) => {
                error!("everything waits: {why}");
                std::thread::sleep(PAUSE);
                Ok(())
            }
            other => other,
        }
    }

    fn close(self, consumer: Consumer) {
        let dispatch = self.dispatch;
        std::thread::scope(|both| {
            both.spawn(|| dispatch.close(FAREWELL));
            both.spawn(|| consumer.close(FAREWELL));
        });
        info!("the listener has stopped");
    }

    /// One round: notifications to jobs. Does not wait for a queue.
    ///
    /// # Errors
    /// The listener's own database refuses.
    pub fn work(&mut self) -> Result<()> {
        self.wake()?;
        let due = self.db.due(LETTERS_AT_ONCE)?;
        if !due.is_empty() {
            // As it is now: it may have been set since the last time.
            self.dispatch.wrap_in(&self.db.wrapper()?);
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
}

/// Said once for each time that a folder fails, not for every notification that waits for it.
fn tell_of_delay(proposal: Proposal, why: &Error, notifications: usize) {
    let (proposal, reason) = (proposal.0, why.to_string());
    match why {
        Error::Resting { .. } => {
            debug!(proposal, notifications, "waits for its next try: {reason}")
        }
        _ => warn!(proposal, notifications, "waits for its next try: {reason}"),
    }
}
