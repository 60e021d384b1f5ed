//! The threads: some give databases their turns, one for each queue asks it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::agenda::{Agenda, Work};
use super::ghosts::{self, Ghosts};
use super::recovery::SILENT;
use super::watch::Memory;
use super::{DispatchSettings, Dispatcher, Queues, Report, Sighting};
use crate::Result;
use crate::job::Job;
use crate::job_end::Retries;
use crate::ledger::{Attempt, State};
use crate::monitor::Jobs;
use crate::publisher::Publisher;
use crate::queue::QueueManager;
use crate::updates::Update;

/// So many databases have their turns side by side.
const WORKERS: usize = 4;
/// After so many failures in a row the time between two questions is not doubled any more.
const SLOWEST: u32 = 4;

/// Dispatches the jobs of many databases, until it is closed.
pub struct Dispatch {
    office: Arc<Office>,
}

struct Office {
    dispatcher: Dispatcher,
    agenda: Mutex<(Agenda, bool)>,
    /// Somebody may have a turn now, or has had one.
    changed: Condvar,
    /// Queues may have something to be asked about.
    placed: Condvar,
}

impl Dispatch {
    /// Starts the threads.
    pub fn start(queues: Queues, settings: DispatchSettings, publisher: Publisher) -> Self {
        let watched: Vec<_> = queues.all().cloned().collect();
        let office = Arc::new(Office {
            dispatcher: Dispatcher::new(queues, settings, publisher),
            agenda: Mutex::default(),
            changed: Condvar::new(),
            placed: Condvar::new(),
        });
        for _ in 0..WORKERS {
            let office = office.clone();
            std::thread::spawn(move || office.give_turns());
        }
        for queue in watched {
            let office = office.clone();
            std::thread::spawn(move || office.watch(queue.as_ref()));
        }
        Self { office }
    }

    /// There may be something to do in a database, planned by whomever. Does not wait.
    pub fn look_at(&self, database_dir: &Path) {
        self.office.agenda().0.add(database_dir, Instant::now());
        self.office.changed.notify_one();
    }

    /// New jobs are in a database's ledger: they are submitted, and its clients hear of them. Does not wait.
    pub fn planned(&self, database_dir: &Path, jobs: impl IntoIterator<Item = Job>) {
        let mut agenda = self.office.agenda();
        let work = agenda.0.add(database_dir, Instant::now());
        work.new.extend(jobs);
        drop(agenda);
        self.office.changed.notify_one();
    }

    /// As [`Dispatcher::submit`], before anybody looks at this database.
    ///
    /// # Errors
    /// The ledger or the run table cannot be used.
    pub fn submit(&self, database_dir: &Path, ids: &[String], retries: Retries) -> Result<()> {
        self.office.dispatcher.submit(database_dir, ids, retries)
    }

    /// Whether what the queue does not take is done on this machine.
    pub fn fall_back(&self, allowed: bool) {
        self.office.dispatcher.queues.fall_back(allowed);
    }

    /// As [`Queues::wrap_in`](super::Queues::wrap_in).
    pub fn wrap_in(&self, words: &str) {
        self.office.dispatcher.queues.wrap_in(words);
    }

    /// As [`Dispatcher::tell_of_ends`].
    pub fn tell_of_ends(&self) {
        self.office.dispatcher.tell_of_ends();
    }

    /// As [`Dispatcher::change`].
    pub fn change(&self, settings: DispatchSettings) {
        self.office.dispatcher.change(settings);
    }

    /// How many jobs are not at their end, without those that people hold.
    pub fn left(&self) -> usize {
        self.office.agenda().0.left(Instant::now())
    }

    /// How many jobs are in each state that is not the last one, as far as that is known.
    pub fn by_state(&self) -> BTreeMap<State, usize> {
        self.office.agenda().0.by_state()
    }

    /// As [`Dispatcher::numbers`].
    pub fn numbers(&self) -> Jobs {
        self.office.dispatcher.numbers()
    }

    /// As [`Dispatcher::publish_with`].
    pub fn publish_with<'a>(
        &self,
        new: Publisher,
        databases: impl IntoIterator<Item = &'a Path>,
        patience: Duration,
    ) {
        let dispatcher = &self.office.dispatcher;
        dispatcher.publish_with(new, databases, patience);
        // Somebody has to see to what is under way now.
        self.office.changed.notify_one();
    }

    /// Ends the threads; jobs go on, and what is under way is found again. Waits at most for `patience`, half of it
    /// for turns, half for messages.
    pub fn close(self, patience: Duration) {
        self.office.stop();
        self.office.wait_for_turns(patience / 2);
        self.office.dispatcher.close(patience / 2);
    }
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        self.office.stop();
    }
}

impl Office {
    fn agenda(&self) -> MutexGuard<'_, (Agenda, bool)> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.agenda().1 = true;
        self.changed.notify_all();
        self.placed.notify_all();
    }

    fn wait_for_turns(&self, patience: Duration) {
        let agenda = self.agenda();
        let busy = |agenda: &mut (Agenda, bool)| agenda.0.is_busy();
        // A thread that takes longer ends with the process.
        let _ = self.changed.wait_timeout_while(agenda, patience, busy);
    }

    fn give_turns(&self) {
        while let Some((dir, work)) = self.next_turn() {
            let may_submit = work.may_submit;
            let report = self.turn(&dir, work);
            self.agenda()
                .0
                .done(&dir, report, Instant::now(), may_submit);
            self.changed.notify_all();
            self.placed.notify_all();
        }
    }

    /// Waits until somebody has a turn, and looks after the messages meanwhile. None: it is all over.
    fn next_turn(&self) -> Option<(PathBuf, Work)> {
        loop {
            let next_look = self.dispatcher.advance();
            let mut agenda = self.agenda();
            if agenda.1 {
                return None;
            }
            let now = Instant::now();
            if let Some(turn) = agenda.0.take(now) {
                return Some(turn);
            }
            let next_turn = agenda.0.wait(now).unwrap_or(next_look);
            drop(self.changed.wait_timeout(agenda, next_turn.min(next_look)));
        }
    }

    fn turn(&self, dir: &Path, work: Work) -> Option<Report> {
        if work.is_first {
            self.dispatcher.publishing(|publisher| publisher.drain(dir));
        }
        if self.dispatcher.queues.main.limit().is_some() {
            let new: Vec<Update> = work
                .new
                .iter()
                .map(|job| Update::pending(job, None))
                .collect();
            self.dispatcher.tell(dir, &new);
        }
        let done = self.dispatcher.turn(dir, work.sightings, work.may_submit);
        done.inspect_err(|why| warn!(folder = %dir.display(), "its jobs wait: {why}"))
            .ok()
    }

    /// A queue that does not answer is asked less often.
    fn watch(&self, queue: &dyn QueueManager) {
        let (mut memory, mut ghosts) = (Memory::default(), Ghosts::default());
        let mut failures = 0;
        while self.is_to_ask(queue, queue.pace().every * 2_u32.pow(failures)) {
            match self.ask(queue, &mut memory, &mut ghosts) {
                Ok(()) => failures = 0,
                Err(why) => {
                    self.dispatcher.numbers.trouble(queue.name(), SILENT);
                    warn!(
                        queue = queue.name(),
                        "nothing is known about its jobs now: {why}"
                    );
                    failures = (failures + 1).min(SLOWEST);
                }
            }
        }
    }

    /// Waits until a queue has something to be asked about, and then for as long as its pace is. False: it is all
    /// over.
    fn is_to_ask(&self, queue: &dyn QueueManager, pace: Duration) -> bool {
        let is_idle = |agenda: &mut (Agenda, bool)| !agenda.1 && !agenda.0.has_open(queue.name());
        let agenda = self.placed.wait_while(self.agenda(), is_idle);
        let agenda = agenda.unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .placed
            .wait_timeout_while(agenda, pace, |agenda| !agenda.1);
        let (agenda, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !agenda.1
    }

    fn ask(
        &self,
        queue: &dyn QueueManager,
        memory: &mut Memory,
        ghosts: &mut Ghosts,
    ) -> Result<()> {
        let (dirs, attempts): (Vec<PathBuf>, Vec<Arc<Attempt>>) = self
            .agenda()
            .0
            .open_in(queue.name())
            .map(|(dir, attempt)| (dir.to_path_buf(), attempt.clone()))
            .unzip();
        if attempts.is_empty() {
            return Ok(());
        }
        let states = queue.states(&attempts)?;
        let (now, patience) = (Instant::now(), queue.pace().gone_after);
        for first in ghosts.overdue(&attempts, &states, now, patience) {
            ghosts::release(queue, first);
        }
        let names = attempts.iter().map(|attempt| name(attempt));
        let place: BTreeMap<_, _> = names.zip(dirs).collect();
        let said = attempts
            .iter()
            .cloned()
            .zip(states)
            .map(|(attempt, state)| Sighting::of(attempt, state));
        let news = memory.news(said.collect(), now, patience);
        self.pass_on(news, &place);
        Ok(())
    }

    fn pass_on(&self, news: Vec<Sighting>, place: &BTreeMap<(&str, u32), PathBuf>) {
        if news.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut agenda = self.agenda();
        for sighting in news {
            let dir = place.get(&name(&sighting.attempt)).cloned();
            if let Some(dir) = dir {
                agenda.0.add(&dir, now).sightings.push(sighting);
            }
        }
        drop(agenda);
        self.changed.notify_all();
    }
}

fn name(attempt: &Attempt) -> (&str, u32) {
    (&attempt.processing_id, attempt.number)
}
