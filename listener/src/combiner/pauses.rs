//! What has crashed whoever was at it is left alone for ten times as long as that took: a file on which HDF5 works until
//! its time is over costs a tenth of a processor and no more.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runledger_context::run::RunId;

use super::work::Work;

/// So many times as long as it took.
const SHARE: u32 = 10;

/// A folder, or a run of it.
type Place = (PathBuf, Option<RunId>);

/// What is left alone, and for how long.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<HashMap<Place, Pause>>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    why: String,
}

impl Pauses {
    fn all(&self) -> MutexGuard<'_, HashMap<Place, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever was at it has crashed, after so long.
    pub(super) fn begin(&self, work: &Work, took: Duration, why: &str, now: Instant) {
        let mut all = self.all();
        all.retain(|_, pause| pause.until > now);
        let (until, why) = (now + took * SHARE, why.to_owned());
        all.insert(place(work), Pause { until, why });
    }

    /// Why it is not its turn.
    pub(super) fn reason(&self, work: &Work, now: Instant) -> Option<String> {
        let all = self.all();
        let pause = all.get(&place(work))?;
        let left = pause.until.checked_duration_since(now)?;
        // To the minute, so that the log has it once a minute and no more.
        let minutes = left.as_secs().div_ceil(60);
        Some(format!(
            "{}; it is tried again in {minutes} min, or at once by `runledger combiner now {}`",
            pause.why,
            work.folder().display()
        ))
    }
}

fn place(work: &Work) -> Place {
    (work.folder().into(), work.run())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merging(run: u32) -> Work {
        Work::Merge("/a".into(), RunId::new(1, run))
    }

    #[test]
    fn what_took_long_to_crash_is_left_alone_for_long_and_nothing_else_is() {
        let (pauses, now) = (Pauses::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        pauses.begin(&merging(1), Duration::from_secs(600), "SIGXCPU", now);
        pauses.begin(&merging(2), Duration::ZERO, "SIGSEGV", now);
        let why = pauses.reason(&merging(1), at(1)).unwrap();
        assert!(
            why.contains("SIGXCPU") && why.contains("100 min") && why.contains("now /a"),
            "{why}"
        );
        assert!(pauses.reason(&merging(1), at(5999)).is_some());
        assert_eq!(pauses.reason(&merging(1), at(6001)), None);
        assert_eq!(pauses.reason(&merging(2), at(1)), None);
        assert_eq!(pauses.reason(&Work::Look("/a".into()), at(1)), None);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (pauses, now) = (Pauses::default(), Instant::now());
        pauses.begin(&merging(1), Duration::from_secs(1), "SIGXCPU", now);
        let later = now + Duration::from_secs(11);
        pauses.begin(&merging(2), Duration::from_secs(1), "SIGXCPU", later);
        assert_eq!(pauses.all().len(), 1);
    }
}
