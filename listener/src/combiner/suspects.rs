//! Fragments that take down whoever reads them: after a crash each of the run's is read alone, and one that has crashed
//! its readers often enough is set aside, so that the others are merged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::Signal;
use runledger_context::run::RunId;
use runledger_storage::fragment::{self, Fragment};
use runledger_storage::run_file;
use tracing::warn;

use super::broken::{Broken, set_aside};
use super::request::Submission;
use super::work::{Answer, Work};
use crate::Result;

/// So often in a row a fragment may crash its reader.
const CRASHES: u32 = 3;

/// Whether a process that this signal has ended brought that upon itself. Others are ended from outside, most often by
/// SIGKILL: memory was short, or somebody wanted it. That says nothing about what they were reading.
pub(super) fn is_crash(signal: i32) -> bool {
    use Signal::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU};
    let crashes = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGXCPU];
    Signal::try_from(signal).is_ok_and(|signal| crashes.contains(&signal))
}

/// Who has crashed those who merged a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Culprit {
    /// None of its fragments, as far as can be seen.
    Unknown,
    /// One of them, perhaps.
    Suspected,
    /// One that is set aside now.
    SetAside,
}

/// How often each fragment has crashed its reader, of those that did so last time.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    crashes: Mutex<HashMap<PathBuf, u32>>,
}

impl Suspects {
    /// Somebody has crashed while merging a run: has its fragments read, each alone, by whoever answers `ask`.
    pub(super) fn look_into(
        &self,
        folder: &Path,
        run: RunId,
        mut ask: impl FnMut(&Work) -> Answer,
    ) -> Result<Culprit> {
        let mut culprit = Culprit::Unknown;
        for fragment in fragment::ready_fragments(folder, Some(run))? {
            match ask(&Work::Examine(alone(folder, &fragment))) {
                Answer::Crashed(why) if is_at_work(&mut ask, folder) => {
                    culprit = culprit.max(self.blame(folder, &fragment, &why, &mut ask)?);
                }
                Answer::Crashed(_) => {}
                _ => drop(self.crashes().remove(&fragment.path)),
            }
        }
        Ok(culprit)
    }

    fn blame(
        &self,
        folder: &Path,
        fragment: &Fragment,
        why: &str,
        mut ask: impl FnMut(&Work) -> Answer,
    ) -> Result<Culprit> {
        let _one_writer = run_file::lock(folder, fragment.run)?;
        run_file::make_room_for(folder, fragment)?;
        let crashes = self.count(&fragment.path);
        let (run, file) = (fragment.run, fragment.path.display());
        warn!(
            proposal = run.proposal.0,
            run = run.number.0,
            crashes,
            "{file} has crashed a process that read nothing else: {why}"
        );
        if crashes < CRASHES {
            return Ok(Culprit::Suspected);
        }
        let words = format!("{crashes} processes in a row have crashed while reading it: {why}");
        let named = match ask(&Work::Name(alone(folder, fragment))) {
            Answer::Named(named) => Some(named),
            _ => None,
        };
        let Broken { place, .. } = set_aside(folder, fragment, &words, named);
        self.crashes().remove(&fragment.path);
        Ok(match place == fragment.path {
            true => Culprit::Suspected,
            false => Culprit::SetAside,
        })
    }

    fn count(&self, fragment: &Path) -> u32 {
        let mut crashes = self.crashes();
        let count = crashes.entry(fragment.to_path_buf()).or_default();
        *count += 1;
        *count
    }

    fn crashes(&self) -> MutexGuard<'_, HashMap<PathBuf, u32>> {
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn alone(folder: &Path, fragment: &Fragment) -> Submission {
    Submission {
        database_dir: folder.into(),
        fragment: fragment.path.clone(),
        run: fragment.run,
    }
}

/// A program that crashes whatever it does (a bad binary, for example) is no evidence against what it reads.
fn is_at_work(ask: &mut impl FnMut(&Work) -> Answer, folder: &Path) -> bool {
    matches!(ask(&Work::Glance(folder.into())), Answer::Seen { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_context::run::Proposal;
    use runledger_storage::Database;
    use runledger_storage::fragment::FragmentWriter;

    fn folder_with(tokens: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        Database::create(folder.path(), Proposal(1)).unwrap();
        let write = |token: &&str| {
            let writer = FragmentWriter::create(folder.path(), run(), token, "context.py");
            writer.unwrap().finish().unwrap()
        };
        let paths = tokens.iter().map(write).collect();
        (folder, paths)
    }

    fn run() -> RunId {
        RunId::new(1, 2)
    }

    /// A reader whom `is_killer` crashes.
    fn reader(is_killer: impl Fn(&Path) -> bool) -> impl FnMut(&Work) -> Answer {
        move |work| match work {
            Work::Examine(alone) if is_killer(&alone.fragment) => Answer::Crashed("SIGSEGV".into()),
            Work::Examine(_) => Answer::Done(Vec::new()),
            _ => Answer::Seen {
                runs: Vec::new(),
                news: false,
            },
        }
    }

    #[test]
    fn only_the_one_that_crashes_again_and_again_is_set_aside_with_its_reason() {
        let (folder, paths) = folder_with(&["good", "killer"]);
        let suspects = Suspects::default();
        let look = || suspects.look_into(folder.path(), run(), reader(|path| path == paths[1]));
        let culprits: Vec<Culprit> = (0..CRASHES).map(|_| look().unwrap()).collect();
        use Culprit::{SetAside, Suspected, Unknown};
        assert_eq!(culprits, [Suspected, Suspected, SetAside]);
        assert!(paths[0].exists() && !paths[1].exists());
        let reason = folder.path().join("extracted_data/p1_r2.killer.broken.txt");
        assert!(std::fs::read_to_string(reason).unwrap().contains("SIGSEGV"));
        assert_eq!(look().unwrap(), Unknown);
    }

    #[test]
    fn one_that_can_be_read_again_is_free_of_suspicion() {
        let (folder, paths) = folder_with(&["shaky"]);
        let suspects = Suspects::default();
        for is_killer in [true, true, false, true, true] {
            let ask = reader(|_| is_killer);
            let culprit = suspects.look_into(folder.path(), run(), ask).unwrap();
            assert_eq!(culprit == Culprit::Suspected, is_killer);
        }
        assert!(paths[0].exists());
    }

    #[test]
    fn a_program_that_crashes_whatever_it_does_accuses_nobody() {
        let (folder, paths) = folder_with(&["good"]);
        let suspects = Suspects::default();
        for _ in 0..2 * CRASHES {
            let ask = |_: &Work| Answer::Crashed("SIGILL".into());
            let culprit = suspects.look_into(folder.path(), run(), ask).unwrap();
            assert_eq!(culprit, Culprit::Unknown);
        }
        assert!(paths[0].exists());
    }

    #[test]
    fn who_is_ended_from_outside_has_not_crashed() {
        let ended_by = |signal: Signal| is_crash(signal as i32);
        assert!([Signal::SIGSEGV, Signal::SIGABRT, Signal::SIGBUS].map(ended_by) == [true; 3]);
        assert!([Signal::SIGKILL, Signal::SIGTERM].map(ended_by) == [false; 2]);
    }

    #[test]
    fn who_works_for_longer_than_it_may_has_brought_that_upon_itself() {
        assert!(is_crash(Signal::SIGXCPU as i32));
    }
}
