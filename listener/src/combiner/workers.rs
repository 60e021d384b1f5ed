//! Who merges: a few processes, so that one that takes long, or never comes back, holds up its own run only.
//!
//! HDF5 does one thing at a time in a process, so threads would not do. Each process has a thread here that waits for
//! it. A process whose combiner is gone ends when it has finished what it is at.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::folder_lock::FolderLocks;
use super::pauses::Pauses;
use super::suspects::{Culprit, Suspects};
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
    pauses: Arc<Pauses>,
}

impl Workers {
    /// No worker yet: each is made when it is needed.
    pub(super) fn new(program: Option<Vec<OsString>>, tells: bool) -> Self {
        Self {
            hands: Hands {
                program,
                tells,
                suspects: Arc::default(),
                pauses: Arc::default(),
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
            let ask = |work: &Work| by_process(work, program, process);
            do_watched(work, &hands.suspects, &hands.pauses, ask)
        }
    }
}

/// What does not crash again goes on: the others of a run's fragments, or the others of a folder's runs. What crashes whatever
/// is set aside has a pause.
fn do_watched(
    work: &Work,
    suspects: &Suspects,
    pauses: &Pauses,
    mut ask: impl FnMut(&Work) -> Answer,
) -> Answer {
    let begun = Instant::now();
    if let Some(why) = pauses.reason(work, begun) {
        return instead(work, why, ask);
    }
    let mut answer = ask(work);
    while let Answer::Crashed(why) = answer {
        let culprit = match work.run() {
            Some(run) => suspects.look_into(work.folder(), run, &mut ask),
            None => Ok(Culprit::Unknown),
        };
        answer = match culprit {
            Ok(Culprit::SetAside) => ask(work),
            Ok(Culprit::Suspected) => Answer::Failed(why),
            Ok(Culprit::Unknown) => {
                pauses.begin(work, begun.elapsed(), &why, Instant::now());
                instead(work, why, &mut ask)
            }
            Err(also) => Answer::Failed(format!("{why}; {also}")),
        };
    }
    answer
}

/// Ready fragments are seen also where what dead jobs left cannot be looked at.
fn instead(work: &Work, why: String, mut ask: impl FnMut(&Work) -> Answer) -> Answer {
    let Work::Look(folder) = work else {
        return Answer::Failed(why);
    };
    warn!(folder = %folder.display(), "what jobs left that died unseen is not looked at: {why}");
    match ask(&Work::Glance(folder.clone())) {
        Answer::Crashed(why) => Answer::Failed(why),
        seen => seen,
    }
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
        let ask = |asked: &Work| match asked {
            Work::Glance(_) => seen.clone(),
            _ => Answer::Crashed("SIGSEGV".into()),
        };
        let answer = do_watched(&work, &Suspects::default(), &Pauses::default(), ask);
        assert_eq!(answer, seen);
    }

    #[test]
    fn a_run_whose_merging_took_long_to_crash_has_a_pause_if_no_fragment_is_guilty() {
        let folder = tempfile::tempdir().unwrap();
        let run = runledger_context::run::RunId::new(1, 2);
        let work = Work::Merge(folder.path().into(), run);
        let pauses = Pauses::default();
        let asked = std::cell::Cell::new(0);
        let answer = || {
            do_watched(&work, &Suspects::default(), &pauses, |_| {
                asked.set(asked.get() + 1);
                std::thread::sleep(Duration::from_secs(1));
                Answer::Crashed("SIGXCPU".into())
            })
        };
        assert_eq!(answer(), Answer::Failed("SIGXCPU".into()));
        let Answer::Failed(why) = answer() else {
            panic!("it was tried again");
        };
        assert!(why.contains("tried again in"), "{why}");
        assert_eq!(asked.get(), 1);
    }
}
