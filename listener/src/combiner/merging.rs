//! Fragments into the run's file, then rows into the table, then the news; then the fragments go.
//!
//! A crash at any point leaves the fragments, so that all is done once more, to the same effect.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_storage::fragment::{self, Fragment};
use runledger_storage::{Database, run_file};
use tracing::{error, info, warn};

use crate::Result;
use crate::publisher::Publisher;
use crate::updates::Update;

/// How long somebody who waits for the result waits for a table that another program holds.
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

/// Merges everything that is ready in a database's folder, in the order in which it was written. Another program
/// may hold the table for `patience`.
///
/// # Errors
/// The folder has no database that can be used. What goes wrong with one run is in the result.
pub fn combine_folder(
    database_dir: &Path,
    patience: Duration,
    publisher: &mut Publisher,
) -> Result<Combined> {
    combine_until(&AtomicBool::new(false), database_dir, patience, publisher)
}

/// As [`combine_folder`]; when `stop` is raised, the runs that are left wait for the next time.
pub(super) fn combine_until(
    stop: &AtomicBool,
    database_dir: &Path,
    patience: Duration,
    publisher: &mut Publisher,
) -> Result<Combined> {
    let mut db = Database::open_with_timeout(database_dir, patience)?;
    publisher.drain(database_dir);
    let runs: BTreeSet<RunId> = fragment::ready_fragments(database_dir, None)?
        .into_iter()
        .map(|fragment| fragment.run)
        .collect();
    let mut combined = Combined::default();
    for run in runs {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if let Err(why) = merge(&mut db, run, publisher, &mut combined) {
            combined.waiting.push((run, why.to_string()));
        }
    }
    Ok(combined)
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
    let mut db = Database::open_with_timeout(database_dir, patience)?;
    let mut combined = Combined::default();
    merge(&mut db, run, publisher, &mut combined)?;
    Ok(combined)
}

fn merge(
    db: &mut Database,
    run: RunId,
    publisher: &mut Publisher,
    combined: &mut Combined,
) -> Result<()> {
    let dir = db.dir().to_path_buf();
    let _one_writer = run_file::lock(&dir, run)?;
    let fragments = sound(fragment::ready_fragments(&dir, Some(run))?, combined);
    if fragments.is_empty() {
        return Ok(());
    }
    let paths: Vec<Fragment> = fragments
        .iter()
        .map(|(fragment, _)| fragment.clone())
        .collect();
    run_file::merge(&dir, run, &paths)?;
    for (fragment, summaries) in fragments {
        let saved = db.save_cells(
            run,
            &summaries.rows,
            summaries.start_time,
            &summaries.provenance,
        )?;
        for (name, why) in &saved.refused {
            warn!(%run, "{name} is not in the table: {why}");
        }
        let names = summaries.rows.iter().map(|(name, _)| name.as_str());
        publisher.publish_lasting(&dir, &db.update_topic(), &Update::values(run, names))?;
        fragment::remove(&fragment)?;
        combined.fragments.push(fragment.path);
    }
    info!(%run, fragments = paths.len(), "merged");
    combined.runs.push(run);
    Ok(())
}

/// The fragments that can be read; the others are set aside, so that they don't stand in the way.
fn sound(
    fragments: Vec<Fragment>,
    combined: &mut Combined,
) -> Vec<(Fragment, fragment::Summaries)> {
    let mut sound = Vec::new();
    for fragment in fragments {
        match fragment::summaries(&fragment.path) {
            Ok(summaries) => sound.push((fragment, summaries)),
            Err(why) => set_aside(&fragment, &why.to_string(), combined),
        }
    }
    sound
}

fn set_aside(fragment: &Fragment, why: &str, combined: &mut Combined) {
    match fragment::set_aside(fragment, why) {
        Ok(place) => {
            error!(run = %fragment.run, "a fragment cannot be read and is set aside as {}: {why}", place.display());
            combined.broken.push((place, why.to_owned()));
        }
        Err(also) => {
            error!(run = %fragment.run, "{} cannot be read ({why}) nor set aside ({also})", fragment.path.display());
            combined
                .broken
                .push((fragment.path.clone(), why.to_owned()));
        }
    }
}
