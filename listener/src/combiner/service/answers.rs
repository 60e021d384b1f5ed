//! What follows from an answer of those who merge.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use runledger_context::run::RunId;
use tracing::{debug, warn};

use super::Service;
use crate::combiner::positions::Place;
use crate::combiner::schedule::{FIRST_RETRY, LONGEST_RETRY, Task};
use crate::combiner::work::{Answer, Work};
use crate::combiner::workers::Number;

/// A fragment that was announced and cannot be seen is waited for this long; after that, looking finds it.
const PATIENCE: Duration = Duration::from_secs(600);

/// What waits for so long is told, once, and then whenever it was tried after the longest wait.
const TELL: Duration = Duration::from_secs(4);

/// How soon it is looked again whether a lock is gone, which takes no time.
const LONGEST_LOCK: Duration = Duration::from_secs(5);

impl Service {
    pub(super) fn answered(&mut self, number: Number, answer: Answer) {
        self.workers.is_free(number);
        let Some(task) = self.under_way.remove(&number) else {
            return;
        };
        self.schedule.ended(&task.work);
        if task.message.is_some() && !matches!(answer, Answer::Refused(_)) {
            self.folders.add(task.work.folder());
        }
        match answer {
            Answer::Seen { runs, news } => {
                self.forget(&task.work);
                self.seen(task.work.folder(), runs, news);
            }
            Answer::Done(fragments) => self.done(task, fragments),
            Answer::NotThere => self.missed(task),
            // Asked for within a piece of work, and never the answer to all of it.
            Answer::Named(_) => self.done_with(task.message),
            Answer::Refused(why) => {
                warn!("a file submission is refused: {why}");
                self.done_with(task.message);
            }
            Answer::Failed(why) | Answer::Crashed(why) => {
                self.postpone(task, &why, LONGEST_RETRY);
            }
            Answer::Busy(why) => self.postpone(task, &why, LONGEST_LOCK),
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

    /// It need not be found again before it is planned again.
    fn forget(&mut self, work: &Work) {
        self.found.remove(&(work.folder().into(), work.run()));
    }

    fn done(&mut self, task: Task, fragments: Vec<PathBuf>) {
        if !fragments.is_empty() {
            self.tell(task.work.folder());
        }
        self.merged.add(fragments);
        if task.message.is_none() {
            self.forget(&task.work);
        }
        self.done_with(task.message);
    }

    fn tell(&self, folder: &Path) {
        // Where the thread has ended, the next service finds the outbox by looking.
        let _ = self.news.send(folder.into());
    }

    /// Nothing is left to do for a message.
    pub(super) fn done_with(&mut self, message: Option<(Place, Instant)>) {
        let behind = message.and_then(|(place, _)| self.positions.done(place));
        if let (Some(place), Some(hearing)) = (behind, &self.hearing) {
            hearing.store(place);
        }
    }

    fn missed(&mut self, task: Task) {
        let awaited = task.message.as_ref().map(|(_, until)| *until);
        if awaited.is_some_and(|until| Instant::now() < until) {
            // Most often an announcement that is heard again, of what is merged: no reason to warn anybody.
            debug!("{:?} cannot be seen yet", task.work);
            return self.again(task, LONGEST_RETRY);
        }
        debug!(
            "{:?} is not there; merged already, or found by looking later",
            task.work
        );
        self.done_with(task.message);
    }

    /// What looking found is found again, if it takes so long.
    fn postpone(&mut self, task: Task, why: &str, longest: Duration) {
        let folder = task.work.folder().to_path_buf();
        self.schedule.rest(&folder, Instant::now() + FIRST_RETRY);
        let folder = folder.display().to_string();
        let of_run = task.work.run();
        let proposal = of_run.map(|run| run.proposal.0);
        let run = of_run.map(|run| run.number.0);
        match task.wait {
            TELL | LONGEST_RETRY => warn!(proposal, run, folder, "its fragments wait: {why}"),
            _ => debug!(proposal, run, folder, "its fragments wait: {why}"),
        }
        match task.message {
            None if task.wait == LONGEST_RETRY => self.forget(&task.work),
            _ => self.again(task, longest),
        }
    }

    fn again(&mut self, mut task: Task, longest: Duration) {
        let when = Instant::now() + task.wait;
        task.wait = (task.wait * 2).min(longest);
        self.schedule.add(task, when);
    }
}

/// Until when a fragment that was announced at a moment, in milliseconds since 1970, is waited for. The clock of whoever
/// says so may be wrong, and ours may be set: it is looked at once.
pub(super) fn awaited_until(sent: i64) -> Instant {
    Instant::now() + PATIENCE.saturating_sub(since(sent))
}

/// How long ago a moment was, in milliseconds since 1970.
fn since(sent: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let sent = Duration::from_millis(u64::try_from(sent).unwrap_or(0));
    now.unwrap_or_default().saturating_sub(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_waited_for_no_longer_than_patience_allows_whatever_the_message_says() {
        let long = |sent| awaited_until(sent).saturating_duration_since(Instant::now());
        // No time, the beginning of time, and its end.
        for (sent, most) in [
            (-1, Duration::ZERO),
            (0, Duration::ZERO),
            (i64::MAX, PATIENCE),
        ] {
            assert!(long(sent) <= most, "{sent}");
        }
        assert!(long(i64::MAX) > PATIENCE / 2);
    }
}
