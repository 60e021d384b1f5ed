//! Fragments into the run's file, then rows into the table, then the news; then the fragments go.
//!
//! A crash at any point leaves the fragments, so that all is done once more, to the same effect.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_storage::Error as StorageError;
use runledger_storage::fragment::{self, Fragment, Summaries};
use runledger_storage::run_file;
use tracing::{info, warn};

use super::books::Books;
use super::broken::{Broken, Named, set_aside};
use super::folder_lock::FolderLock;
use super::{leftovers, stale};
use crate::publisher::Publisher;
use crate::{Error, Result};

/// How long somebody who waits for the result waits for a table that another program holds, and for another combiner.
pub const ATTENDED: Duration = Duration::from_secs(30);

/// What came of merging a folder's fragments.
#[derive(Debug, Default)]
pub struct Combined {
    /// Runs that have new values.
    pub runs: Vec<RunId>,
    /// The fragments that were merged, and are gone.
    pub fragments: Vec<PathBuf>,
    /// Fragments that could not be read, and were set aside, with the reason.
    pub broken: Vec<(PathBuf, String)>,
    /// Runs whose fragments wait, with the reason.
    pub waiting: Vec<(RunId, String)>,
}

/// Merges everything that is ready in a database's folder, in the order in which it was written, with what jobs left
/// that died unseen. Another program may hold the table for `patience`, and another combiner the folder.
///
/// # Errors
/// The folder has no database that can be used, or another combiner is at work in it. What goes wrong with one run is
/// in the result.
pub fn combine_folder(
    database_dir: &Path,
    patience: Duration,
    publisher: &mut Publisher,
) -> Result<Combined> {
    let mut books = Books::open(database_dir, patience, publisher.is_enabled())?;
    let _one_combiner = FolderLock::take(database_dir, patience)?;
    publisher.drain(database_dir);
    leftovers::hand_in(database_dir);
    let mut combined = Combined::default();
    for run in ready_runs(database_dir)? {
        if let Err(why) = merge(&mut books, run, &mut combined) {
            combined.waiting.push((run, why.to_string()));
        }
    }
    publisher.send_kept(database_dir);
    Ok(combined)
}

/// The runs of which fragments are ready.
pub(super) fn ready_runs(database_dir: &Path) -> Result<BTreeSet<RunId>> {
    let ready = fragment::ready_fragments(database_dir, None)?;
    Ok(ready.into_iter().map(|fragment| fragment.run).collect())
}

/// Merges all of a run's fragments that are ready. None is no error. Another program may hold the table for
/// `patience`.
///
/// # Errors
/// The run's file or the table cannot be read or written: the fragments are still there, to be tried again.
pub fn merge_run(
    database_dir: &Path,
    run: RunId,
    patience: Duration,
    publisher: &mut Publisher,
) -> Result<Combined> {
    let combined = merge_quietly(database_dir, run, patience, publisher.is_enabled())?;
    publisher.send_kept(database_dir);
    Ok(combined)
}

/// As [`merge_run`], but the news, if it is to be told, only gets into the outbox.
pub(super) fn merge_quietly(
    database_dir: &Path,
    run: RunId,
    patience: Duration,
    tells: bool,
) -> Result<Combined> {
    let mut books = Books::open(database_dir, patience, tells)?;
    let mut combined = Combined::default();
    merge(&mut books, run, &mut combined)?;
    Ok(combined)
}

fn merge(books: &mut Books, run: RunId, combined: &mut Combined) -> Result<()> {
    let dir = books.dir().to_path_buf();
    let _one_writer = run_file::lock(&dir, run)?;
    let mut fragments = sound(&dir, fragment::ready_fragments(&dir, Some(run))?, combined);
    if fragments.is_empty() {
        return Ok(());
    }
    stale::take_out(&books.ledger, run, &mut fragments)?;
    compose(&dir, run, &mut fragments, combined)?;
    books.enter(run, &fragments)?;
    info!(
        proposal = run.proposal.0,
        run = run.number.0,
        fragments = fragments.len(),
        "merged"
    );
    combined.runs.push(run);
    for Found { fragment, .. } in fragments {
        fragment::remove(&fragment)?;
        combined.fragments.push(fragment.path);
    }
    Ok(())
}

/// A fragment that can be read.
pub(super) struct Found {
    pub(super) fragment: Fragment,
    pub(super) summaries: Summaries,
    /// When it was written, in seconds since 1970.
    pub(super) written_at: f64,
}

impl Found {
    fn read(fragment: Fragment) -> runledger_storage::Result<Self> {
        Ok(Self {
            summaries: fragment::summaries(&fragment.path)?,
            written_at: fragment.written_at(),
            fragment,
        })
    }
}

/// The fragments that can be read; the others don't stand in the way.
fn sound(dir: &Path, fragments: Vec<Fragment>, combined: &mut Combined) -> Vec<Found> {
    let mut sound = Vec::new();
    for fragment in fragments {
        match Found::read(fragment.clone()) {
            Ok(found) => sound.push(found),
            Err(why) => drop(leave_out(dir, &fragment, &why, None, combined)),
        }
    }
    sound
}

/// A fragment that the system does not give out now is tried again later; one that has no sense is set aside.
/// Returns what takes its place.
fn leave_out(
    dir: &Path,
    fragment: &Fragment,
    why: &StorageError,
    named: Option<Named>,
    combined: &mut Combined,
) -> Option<Fragment> {
    let (run, why, is_for_now) = (fragment.run, why.to_string(), why.is_of_the_system());
    if is_for_now {
        warn!(
            proposal = run.proposal.0,
            run = run.number.0,
            "a fragment cannot be read now, and waits: {why}"
        );
        combined.waiting.push((run, why));
        return None;
    }
    let Broken { place, substitute } = set_aside(dir, fragment, &why, named);
    combined.broken.push((place, why));
    substitute
}

/// Makes the run's new file. A fragment whose summaries could be read and whose data cannot is left out as well.
fn compose(
    dir: &Path,
    run: RunId,
    fragments: &mut Vec<Found>,
    combined: &mut Combined,
) -> Result<()> {
    while !fragments.is_empty() {
        let sources: Vec<Fragment> = fragments
            .iter()
            .map(|found| found.fragment.clone())
            .collect();
        let Err(why) = run_file::merge(dir, run, &sources) else {
            break;
        };
        let at = sources.iter().position(|source| is_about(&why, source));
        let Some(at) = at else {
            return Err(Error::Storage(why));
        };
        let broken = fragments.remove(at);
        let named = Some(Named::from(&broken.summaries));
        if let Some(told) = leave_out(dir, &broken.fragment, &why, named, combined) {
            fragments.insert(at, Found::read(told)?);
        }
    }
    Ok(())
}

/// Whether it is this fragment that cannot be read, and not the run's file that cannot be written.
fn is_about(why: &StorageError, fragment: &Fragment) -> bool {
    matches!(why, StorageError::Results { path, .. } if *path == fragment.path)
}
