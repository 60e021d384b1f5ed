//! Who merges: a few processes, so that one that takes long, or never comes back, holds up its own run only.
//!
//! HDF5 does one thing at a time in a process, so threads would not do. Each process has a thread here that waits for
//! it. A process whose combiner is gone ends when it has finished what it is at.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use tracing::warn;

use super::folder_lock::FolderLocks;
use super::suspects::Suspects;
use super::work::{Answer, Work, forestall, perform};
use super::worker_process::{Process, by_process};
use crate::Error;

/// So many pieces of work are done at a time.
pub(super) const AT_MOST: usize = 8;
/// A process without work is ended after this long.
const IDLE: Duration = Duration::from_secs(60);

/// The number of a worker.
pub(super) type Number = usize;

/// The workers.
pub(super) struct Workers {
    hands: Hands,
    locks: Arc<FolderLocks>,
    idle: Vec<Number>,
    known: BTreeMap<Number, Sender<Work>>,
}

/// What every worker is made from.
#[derive(Clone)]
struct Hands {
    /// The command line of a process that does as [`serve_requests`](super::serve_requests); without one the
    /// thread does the work itself.
    program: Option<Vec<OsString>>,
    tells: bool,
    suspects: Arc<Suspects>,
}

impl Workers {
    /// No worker yet: each is made when it is needed.
    pub(super) fn new(program: Option<Vec<OsString>>, tells: bool) -> Self {
        Self {
            hands: Hands {
                program,
                tells,
                suspects: Arc::default(),
            },
            locks: Arc::default(),
            idle: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// Whether one has nothing to do.
    pub(super) fn is_one_free(&self) -> bool {
        !self.idle.is_empty() || self.known.len() < AT_MOST
    }

    /// Gives a piece of work to one who has nothing to do, and says to whom; the answer goes through `done`.
    pub(super) fn give<E: Send + 'static>(
        &mut self,
        work: Work,
        done: &Sender<E>,
        event: fn(Number, Answer) -> E,
    ) -> Number {
        // The one who worked last has everything at hand.
        let number = self.idle.pop().unwrap_or(self.known.len());
        let (hands, locks, done) = (self.hands.clone(), self.locks.clone(), done.clone());
        let worker = self.known.entry(number).or_insert_with(|| {
            let (give, take) = mpsc::channel();
            let tell = move |answer| done.send(event(number, answer)).is_ok();
            thread::spawn(move || work_off(&take, &hands, &locks, tell));
            give
        });
        // It takes what comes for as long as we are there.
        let _ = worker.send(work);
        number
    }

    /// Its answer has come.
    pub(super) fn is_free(&mut self, number: Number) {
        self.idle.push(number);
    }
}

/// One worker's life.
fn work_off(
    work: &Receiver<Work>,
    hands: &Hands,
    locks: &FolderLocks,
    tell: impl Fn(Answer) -> bool,
) {
    let mut process: Option<Process> = None;
    loop {
        match work.recv_timeout(IDLE) {
            Ok(work) => {
                let answer = forestall(&work)
                    .unwrap_or_else(|| do_locked(&work, hands, locks, &mut process));
                if !tell(answer) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => process = None,
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Looking changes nothing that another combiner would mind.
fn do_locked(
    work: &Work,
    hands: &Hands,
    locks: &FolderLocks,
    process: &mut Option<Process>,
) -> Answer {
    let _one_combiner = match work {
        Work::Look(_) | Work::Glance(_) => None,
        _ => match locks.take(work.folder()) {
            Ok(lock) => Some(lock),
            Err(why @ Error::Combining { .. }) => return Answer::Busy(why.to_string()),
            // Whatever is named there, a folder that cannot be locked is none to merge in.
            Err(why) => return Answer::Failed(why.to_string()),
        },
    };
    match &hands.program {
        None => perform(work, hands.tells),
        Some(program) => {
            let mut ask = |work: &Work| by_process(work, program, process);
            let answer = ask(work);
            after_a_crash(work, answer, &hands.suspects, ask)
        }
    }
}

/// What does not crash again goes on: the others of a run's fragments, or the others of a folder's runs.
fn after_a_crash(
    work: &Work,
    mut answer: Answer,
    suspects: &Suspects,
    mut ask: impl FnMut(&Work) -> Answer,
) -> Answer {
    let folder = work.folder();
    while let (Answer::Crashed(why), Some(run)) = (&answer, work.run()) {
        match suspects.look_into(folder, run, &mut ask) {
            Ok(true) => answer = ask(work),
            Ok(false) => return Answer::Failed(why.clone()),
            Err(also) => return Answer::Failed(format!("{why}; {also}")),
        }
    }
    if let (Answer::Crashed(why), Work::Look(_)) = (&answer, work) {
        warn!(folder = %folder.display(), "what jobs left that died unseen is not looked at: {why}");
        return ask(&Work::Glance(folder.into()));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_crashes_at_what_a_dead_job_left_sees_the_ready_fragments_all_the_same() {
        let seen = Answer::Seen {
            runs: vec![runledger_context::run::RunId::new(1, 2)],
            news: true,
        };
        let work = Work::Look("/a".into());
        let crash = Answer::Crashed("SIGSEGV".into());
        let ask = |asked: &Work| match asked {
            Work::Glance(_) => seen.clone(),
            _ => crash.clone(),
        };
        let answer = after_a_crash(&work, crash.clone(), &Suspects::default(), ask);
        assert_eq!(answer, seen);
    }
}
