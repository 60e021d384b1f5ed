//! One database's turn: what its queues said is taken in, what is due is submitted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::room::Loads;
use super::submission::Scope;
use super::{DispatchSettings, Queues, Sighting};
use crate::Result;
use crate::job::Job;
use crate::job_end::{self, Retries};
use crate::ledger::{self, Attempt, Ending, Entry, Ledger, Load, Open, State};
use crate::monitor::Jobs;
use crate::publisher::Publisher;
use crate::queue::{Account, Denied, Ended, Fault, JobState};
use crate::updates::Update;

/// How long another program may hold a database before its turn is put off.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

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

/// The open attempts of a ledger, read again only where something was written.
struct Standing {
    open: Vec<Open>,
    written: u64,
}

impl Standing {
    fn of(ledger: &Ledger) -> Result<Self> {
        Ok(Self {
            written: ledger.written(),
            open: ledger.open_attempts()?,
        })
    }

    fn update(&mut self, ledger: &Ledger) -> Result<()> {
        if self.written != ledger.written() {
            *self = Self::of(ledger)?;
        }
        Ok(())
    }
}

/// Submits, watches and settles the jobs of databases, one turn at a time. Its calls may come from several threads,
/// but for each database from one at a time.
pub struct Dispatcher {
    pub(super) queues: Queues,
    pub(super) settings: Mutex<DispatchSettings>,
    /// None: closed.
    pub(super) publisher: Mutex<Option<Publisher>>,
    pub(super) loads: Mutex<Loads>,
    pub(super) numbers: Jobs,
    /// Whether the ends of jobs are told of here.
    pub(super) tells_of_ends: AtomicBool,
    /// Queues that do not answer: until when they are left alone, and how often that was so in a row.
    pub(super) resting: Mutex<BTreeMap<&'static str, (Instant, u32)>>,
}

impl Dispatcher {
    /// A dispatcher of jobs to these queues.
    pub fn new(queues: Queues, settings: DispatchSettings, publisher: Publisher) -> Self {
        queues.limit_local(settings.local);
        Self {
            queues,
            settings: Mutex::new(settings),
            publisher: Mutex::new(Some(publisher)),
            loads: Mutex::default(),
            numbers: Jobs::default(),
            tells_of_ends: false.into(),
            resting: Mutex::default(),
        }
    }

    /// Numbers of the jobs that end.
    pub fn numbers(&self) -> Jobs {
        self.numbers.clone()
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
        if !Ledger::is_in(database_dir) {
            return Ok(Report::default());
        }
        let mut ledger = Ledger::open_with_patience(database_dir, PATIENCE)?;
        let mut standing = Standing::of(&ledger)?;
        self.take_in_all(&mut ledger, sightings, &standing.open)?;
        standing.update(&ledger)?;
        self.recover(&mut ledger, &standing.open)?;
        self.note_load(database_dir, &standing.open);
        let put_off = match may_submit {
            true => {
                let retries = self.settings().retries;
                self.submit_due(&mut ledger, &standing.open, Scope::All, retries)?
            }
            false => None,
        };
        self.take_ends(&ledger)?;
        standing.update(&ledger)?;
        self.report(&ledger, standing.open, put_off)
    }

    fn report(
        &self,
        ledger: &Ledger,
        open: Vec<Open>,
        put_off: Option<Duration>,
    ) -> Result<Report> {
        self.note_load(ledger.database_dir(), &open);
        let (left, next_try) = ledger.outlook()?;
        let wait = |when: f64| Duration::try_from_secs_f64(when - ledger::now());
        let until = next_try.map(|when| wait(when).unwrap_or_default());
        let next = [until, put_off].into_iter().flatten().min();
        Ok(Report { open, left, next })
    }

    /// What queues have of a database counts from now on, and nothing else.
    pub(super) fn note_load(&self, database_dir: &Path, open: &[Open]) {
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
        if !plain.is_empty() {
            ledger.observe(&plain)?;
        }
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
                self.remove(&entry.job, attempt)
            }
            JobState::Waiting(_) if sighting.is_requeued && entry.state.is_final() => {
                self.remove(&entry.job, attempt)?;
                let why = "its queue put it back into its line although it was done".to_owned();
                self.settle(
                    ledger,
                    entry.job,
                    attempt.number,
                    account(Fault::Queue, why),
                )
            }
            JobState::Waiting(why) if sighting.is_requeued => {
                self.note_requeued(ledger, &entry.job, attempt, &why)
            }
            JobState::Waiting(_) | JobState::Running | JobState::Silent => Ok(()),
            JobState::Other(word) => {
                debug!(
                    proposal = entry.job.run.proposal.0,
                    run = entry.job.run.number.0,
                    "the queue says {word:?}"
                );
                ledger.remark(id, &format!("the queue says: {word}"))
            }
            JobState::Stuck(why) => {
                let words = format!("{WAITS_FOR_EVER}{why}");
                // Should this process die before it has settled that, the next one knows who took the job off its queue.
                ledger.remark(id, &words)?;
                self.remove(&entry.job, attempt)?;
                self.settle(
                    ledger,
                    entry.job,
                    attempt.number,
                    account(Fault::Queue, words),
                )
            }
            JobState::Ended(Account {
                fault: Fault::Person,
                ..
            }) if is_taken_back(&entry) => {
                let words = entry.message.unwrap_or_default();
                self.settle(
                    ledger,
                    entry.job,
                    attempt.number,
                    account(Fault::Queue, words),
                )
            }
            JobState::Ended(account) if account.fault != Fault::Vanished => {
                self.settle(ledger, entry.job, attempt.number, account)
            }
            // Slurm has lost its state, or started it a second time, and the first one goes on.
            JobState::Ended(_) | JobState::Gone if ledger.may_run(id, attempt.number, SEEN)? => {
                Ok(())
            }
            JobState::Ended(account) => self.settle(ledger, entry.job, attempt.number, account),
            JobState::Gone => {
                let why = "its process vanished unseen".to_owned();
                self.settle(
                    ledger,
                    entry.job,
                    attempt.number,
                    account(Fault::Vanished, why),
                )
            }
        }
    }

    fn note_requeued(
        &self,
        ledger: &mut Ledger,
        job: &Job,
        attempt: &Attempt,
        why: &str,
    ) -> Result<()> {
        if ledger.observe_requeued(&job.processing_id)? {
            info!(
                proposal = job.run.proposal.0,
                run = job.run.number.0,
                "the queue has put the job back into its line"
            );
            let pending = Update::pending(job, attempt.ticket().as_ref());
            self.tell(&job.database_dir, &[pending]);
        }
        let why = Some(why).filter(|why| !why.is_empty());
        ledger.observe(&[(&job.processing_id, State::Pending, why)])
    }

    pub(super) fn settle(
        &self,
        ledger: &mut Ledger,
        job: Job,
        attempt: u32,
        account: Account,
    ) -> Result<()> {
        let ended = Ended {
            job,
            attempt,
            account,
        };
        self.settle_for(ledger, &ended, &self.settings().retries)
    }

    /// [`settle`](Self::settle), for somebody who has an own mind about further tries.
    pub(super) fn settle_for(
        &self,
        ledger: &mut Ledger,
        ended: &Ended,
        retries: &Retries,
    ) -> Result<()> {
        let settled =
            self.publishing(|publisher| job_end::settle(ledger, ended, retries, publisher));
        settled.transpose().map(drop)
    }

    /// Takes an attempt out of its queue that nobody wants any more. If that may not be, it does nothing when its turn
    /// comes.
    fn remove(&self, job: &Job, attempt: &Attempt) -> Result<()> {
        for denied in self.delete(std::slice::from_ref(attempt))? {
            warn!(
                proposal = job.run.proposal.0,
                run = job.run.number.0,
                "the queue does not give the job up: {}",
                denied.why
            );
        }
        Ok(())
    }

    /// Takes attempts out of their queues, and returns those that they do not give up.
    pub(super) fn delete(&self, attempts: &[Attempt]) -> Result<Vec<Denied>> {
        let mut denied = Vec::new();
        for queue in self.queues.all() {
            let own: Vec<Attempt> = attempts
                .iter()
                .filter(|attempt| attempt.queue == queue.name())
                .cloned()
                .collect();
            if !own.is_empty() {
                denied.extend(queue.delete(&own)?);
            }
        }
        Ok(denied)
    }
}

/// A job on another host that has said so recently (seconds) that it runs does run, whatever a queue knows of it.
const SEEN: f64 = 120.0;

fn is_called_off(entry: &Entry) -> bool {
    let is_killed = |message: &String| message.starts_with("killed by");
    entry.held || entry.state == State::Cancelled || entry.message.as_ref().is_some_and(is_killed)
}

/// How the words begin by which the ledger knows of a job that it is taken off its queue to be tried again.
const WAITS_FOR_EVER: &str = "it would have waited for ever in its queue: ";

fn is_taken_back(entry: &Entry) -> bool {
    let is_it = |message: &String| message.starts_with(WAITS_FOR_EVER);
    !entry.held && entry.message.as_ref().is_some_and(is_it)
}

fn account(fault: Fault, words: String) -> Account {
    Account {
        ending: Ending::Unseen,
        fault,
        peak_memory: None,
        words,
    }
}
