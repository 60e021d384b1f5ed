//! One database's turn: what its queues said is taken in, what is due is submitted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::room::Loads;
use super::submission::Scope;
use super::{DispatchSettings, Sighting};
use crate::Result;
use crate::job::Job;
use crate::job_end::{self, Outcome};
use crate::ledger::{self, Attempt, Ending, Entry, Ledger, Load, Open, Setback, State};
use crate::monitor::Jobs;
use crate::publisher::Publisher;
use crate::queue::{Account, Ended, Fault, JobState, QueueManager, Ticket};
use crate::updates::Update;

/// How long another program may hold a database before its turn is put off.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);
/// Whoever submitted on another machine, and left an attempt without a name in the queue, has given up by now
/// (seconds).
const ABANDONED: f64 = 300.0;
/// Where jobs go.
pub struct Queues {
    pub(super) main: Arc<dyn QueueManager>,
    /// This machine, beside another queue.
    pub(super) local: Option<Arc<dyn QueueManager>>,
    falls_back: AtomicBool,
}

impl Queues {
    /// One queue, and no other.
    pub fn only(queue: impl QueueManager + 'static) -> Self {
        Self::shared(Arc::new(queue))
    }

    /// [`only`](Self::only), of a queue that others look at too.
    pub fn shared(queue: Arc<dyn QueueManager>) -> Self {
        Self {
            main: queue,
            local: None,
            falls_back: false.into(),
        }
    }

    /// With this machine beside it, for what it takes only if [`fall_back`](Self::fall_back) allows that.
    #[must_use]
    pub fn beside(self, local: impl QueueManager + 'static) -> Self {
        Self {
            local: Some(Arc::new(local)),
            ..self
        }
    }

    /// Whether what the queue does not take is done on this machine.
    pub fn fall_back(&self, allowed: bool) {
        self.falls_back.store(allowed, Ordering::Relaxed);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<dyn QueueManager>> {
        [Some(&self.main), self.local.as_ref()]
            .into_iter()
            .flatten()
    }

    /// This machine, if it may stand in for the queue.
    pub(super) fn stand_in(&self) -> Option<&Arc<dyn QueueManager>> {
        let may = self.falls_back.load(Ordering::Relaxed);
        self.local.as_ref().filter(|_| may)
    }
}

/// How a database stands after its turn.
#[derive(Debug, Default)]
pub struct Report {
    /// What queues are to be asked about.
    pub open: Vec<Open>,
    /// How many jobs are not at their end.
    pub left: usize,
    /// When there is something to submit, as far as that is known.
    pub next: Option<Duration>,
}

/// Submits, watches and settles the jobs of databases, one turn at a time. Its calls may come from several threads,
/// but for each database from one at a time.
pub struct Dispatcher {
    pub(super) queues: Queues,
    pub(super) settings: DispatchSettings,
    /// None: closed.
    pub(super) publisher: Mutex<Option<Publisher>>,
    pub(super) loads: Mutex<Loads>,
    pub(super) numbers: Jobs,
    /// Queues that do not answer: until when they are left alone, and how often that was so in a row.
    pub(super) resting: Mutex<BTreeMap<&'static str, (Instant, u32)>>,
}

impl Dispatcher {
    /// A dispatcher of jobs to these queues.
    pub fn new(queues: Queues, settings: DispatchSettings, publisher: Publisher) -> Self {
        Self {
            queues,
            settings,
            publisher: Mutex::new(Some(publisher)),
            loads: Mutex::default(),
            numbers: Jobs::default(),
            resting: Mutex::default(),
        }
    }

    /// A database's turn. A folder without a ledger has nothing to do.
    ///
    /// # Errors
    /// The ledger or the run table cannot be used: it is to have another turn later. Nothing is lost.
    pub fn turn(
        &self,
        database_dir: &Path,
        sightings: Vec<Sighting>,
        may_submit: bool,
    ) -> Result<Report> {
        if !database_dir.join("ledger.sqlite").is_file() {
            return Ok(Report::default());
        }
        let mut ledger = Ledger::open_with_patience(database_dir, PATIENCE)?;
        let mut open = ledger.open_attempts()?;
        if !sightings.is_empty() {
            self.take_in_all(&mut ledger, sightings, &open)?;
            open = ledger.open_attempts()?;
        }
        self.recover(&mut ledger, &open)?;
        self.note_load(database_dir, &open);
        let put_off = match may_submit {
            true => self.submit_due(&mut ledger, &open, Scope::All)?,
            false => None,
        };
        self.report(&ledger, put_off)
    }

    fn report(&self, ledger: &Ledger, put_off: Option<Duration>) -> Result<Report> {
        let open = ledger.open_attempts()?;
        self.note_load(ledger.database_dir(), &open);
        let (left, next_try) = ledger.outlook()?;
        let until = next_try.map(|when| Duration::from_secs_f64((when - ledger::now()).max(0.0)));
        let next = [until, put_off].into_iter().flatten().min();
        Ok(Report { open, left, next })
    }

    fn note_load(&self, database_dir: &Path, open: &[Open]) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.set(database_dir, Load::of(open));
    }

    /// What was said about an attempt that is settled by now is old.
    fn take_in_all(
        &self,
        ledger: &mut Ledger,
        sightings: Vec<Sighting>,
        open: &[Open],
    ) -> Result<()> {
        let name = |attempt: &Attempt| (attempt.processing_id.clone(), attempt.number);
        let mut open: BTreeSet<_> = open.iter().map(|open| name(&open.attempt)).collect();
        let is_open = |sighting: &&Sighting| open.contains(&name(&sighting.attempt));
        let plain = sightings.iter().filter(is_open);
        let plain: Vec<_> = plain.filter_map(Sighting::plain).collect();
        ledger.observe(&plain)?;
        for sighting in sightings {
            let is_end = matches!(sighting.state, JobState::Ended(_) | JobState::Stuck(_));
            let name = name(&sighting.attempt);
            if open.contains(&name) && sighting.plain().is_none() {
                self.take_in(ledger, sighting)?;
            }
            if is_end {
                open.remove(&name);
            }
        }
        Ok(())
    }

    /// What a queue said about one of its jobs.
    fn take_in(&self, ledger: &mut Ledger, sighting: Sighting) -> Result<()> {
        let attempt = &sighting.attempt;
        let id = &attempt.processing_id;
        let Some(entry) = ledger.job(id)? else {
            return Ok(());
        };
        match sighting.state {
            // It was called off while nobody could tell the queue.
            JobState::Waiting(_) | JobState::Running
                if attempt.ended_at.is_some() && is_called_off(&entry) =>
            {
                self.delete(std::slice::from_ref(attempt))
            }
            JobState::Waiting(_) if sighting.is_requeued() => {
                self.note_requeued(ledger, &entry.job, attempt)
            }
            JobState::Waiting(_) | JobState::Running | JobState::Silent => Ok(()),
            JobState::Other(word) => {
                debug!(run = %entry.job.run, "the queue says {word:?}");
                ledger.remark(id, &format!("the queue says: {word}"))
            }
            JobState::Stuck(why) => {
                self.delete(std::slice::from_ref(attempt))?;
                let account = account(
                    Fault::Queue,
                    format!("it would have waited for ever: {why}"),
                );
                self.settle(entry.job, attempt.number, account)
            }
            JobState::Ended(account) => self.settle(entry.job, attempt.number, account),
            // Slurm has lost its state, and the job goes on.
            JobState::Gone if ledger.was_seen(id, attempt.number, SEEN)? => Ok(()),
            JobState::Gone => {
                let why = "its process vanished unseen".to_owned();
                self.settle(entry.job, attempt.number, account(Fault::Vanished, why))
            }
        }
    }

    fn note_requeued(&self, ledger: &Ledger, job: &Job, attempt: &Attempt) -> Result<()> {
        if ledger.observe_requeued(&job.processing_id)? {
            info!(run = %job.run, "the queue has put the job back into its line");
            let pending = Update::pending(job, attempt.ticket().as_ref());
            self.tell(&job.database_dir, &[pending]);
        }
        Ok(())
    }

    pub(super) fn settle(&self, job: Job, attempt: u32, account: Account) -> Result<()> {
        let ended = Ended {
            job,
            attempt,
            account,
        };
        let retries = &self.settings.retries;
        let settled = self.publishing(|publisher| job_end::settle(&ended, retries, publisher));
        if let Some(outcome) = settled.transpose()?
            && outcome != Outcome::Elsewhere
        {
            let (run, data) = (ended.job.run, ended.job.data);
            info!(%run, %data, ?outcome, "job ended");
            self.count_end(&ended.job, attempt)?;
        }
        Ok(())
    }

    /// For a monitor: how long it took, if that is its end.
    fn count_end(&self, job: &Job, attempt: u32) -> Result<()> {
        let ledger = Ledger::open_with_patience(&job.database_dir, PATIENCE)?;
        let state = ledger.state(&job.processing_id)?;
        let last = ledger.last_attempt(&job.processing_id)?;
        if let (Some(state), Some(last)) = (state, last)
            && state.is_final()
            && last.number == attempt
            && let (Some(began), Some(ended)) = (last.started_at, last.ended_at)
        {
            let took = Duration::from_secs_f64((ended - began).max(0.0));
            self.numbers.ended(state.as_str(), took);
        }
        Ok(())
    }

    /// Takes attempts out of their queues.
    pub(super) fn delete(&self, attempts: &[Attempt]) -> Result<()> {
        for queue in self.queues.all() {
            let own: Vec<Attempt> = attempts
                .iter()
                .filter(|attempt| attempt.queue == queue.name())
                .cloned()
                .collect();
            if !own.is_empty() {
                queue.delete(&own)?;
            }
        }
        Ok(())
    }

    /// Attempts that were written down, and then whoever did so ended, or had no clear answer: the queue may have
    /// them or not.
    fn recover(&self, ledger: &mut Ledger, open: &[Open]) -> Result<()> {
        let unclear = open
            .iter()
            .map(|open| &open.attempt)
            .filter(|attempt| is_abandoned(attempt));
        let unclear: Vec<Attempt> = unclear.cloned().collect();
        for queue in self.queues.all() {
            let own = unclear
                .iter()
                .filter(|attempt| attempt.queue == queue.name());
            let own: Vec<Attempt> = own.cloned().collect();
            if own.is_empty() || self.rest_of(queue.name()).is_some() {
                continue;
            }
            match queue.find(&own) {
                Ok(found) => self.sort_out(ledger, own, found)?,
                Err(why) => self.rest(queue.name(), &why.to_string()),
            }
        }
        Ok(())
    }

    fn sort_out(
        &self,
        ledger: &mut Ledger,
        attempts: Vec<Attempt>,
        found: Vec<Option<Ticket>>,
    ) -> Result<()> {
        let mut placed = Vec::new();
        let mut missing = Vec::new();
        for (attempt, ticket) in attempts.into_iter().zip(found) {
            match ticket {
                Some(ticket) => placed.push((attempt.processing_id, attempt.number, ticket)),
                None => missing.push((attempt.processing_id, attempt.number)),
            }
        }
        warn!(
            folder = %ledger.database_dir().display(),
            "submissions without an answer: {} jobs are in the queue, {} are not and go again",
            placed.len(), missing.len()
        );
        ledger.placed(&placed)?;
        let setback = Setback {
            reason: "it never came into the queue".into(),
            counts: false,
            next_try: None,
        };
        ledger.set_back(&missing, &setback)
    }

    /// How long a queue is still left alone.
    pub(super) fn rest_of(&self, queue: &'static str) -> Option<Duration> {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, _) = resting.get(queue)?;
        until.checked_duration_since(Instant::now())
    }

    /// A queue did not answer: it is left alone for a while, longer each time.
    pub(super) fn rest(&self, queue: &'static str, why: &str) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let times = resting.get(queue).map_or(0, |(_, times)| *times);
        let wait = REST
            .saturating_mul(2_u32.saturating_pow(times))
            .min(LONGEST_REST);
        warn!(
            queue,
            "it does not answer, trying again in {} s: {why}",
            wait.as_secs()
        );
        resting.insert(queue, (Instant::now() + wait, times + 1));
    }

    pub(super) fn answered(&self, queue: &'static str) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.remove(queue);
    }
}

/// A job that has said so recently (seconds) that it runs does run, whatever a queue knows of it.
const SEEN: f64 = 120.0;
/// How long a queue is left alone after it did not answer; twice as long each further time, up to the longest.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(120);

fn is_called_off(entry: &Entry) -> bool {
    let is_killed = |message: &String| message.starts_with("killed by");
    entry.held || entry.state == State::Cancelled || entry.message.as_ref().is_some_and(is_killed)
}

fn is_abandoned(attempt: &Attempt) -> bool {
    let is_open =
        attempt.queue_id.is_none() && attempt.process.is_none() && attempt.ended_at.is_none();
    is_open
        && match &attempt.submitter {
            // A database has one turn at a time: whatever this process submitted, it does not submit it now.
            Some(submitter) if submitter.pid == std::process::id() && submitter.is_here() => true,
            Some(submitter) if submitter.is_here() => !submitter.is_alive(),
            _ => attempt.submitted_at + ABANDONED < ledger::now(),
        }
}

fn account(fault: Fault, words: String) -> Account {
    Account {
        ending: Ending::Unseen,
        fault,
        peak_memory: None,
        words,
    }
}
