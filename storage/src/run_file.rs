//! A run's file, and merging fragments into it.
//!
//! What is new is written behind the file's end, and becomes its content in one switch (`docs/run-files.md`). A small
//! file, or one that has much that was replaced, is composed anew beside the old one and takes its place in one
//! rename. Either way, whoever opens it at any instant sees the old content or the new one, whole.

mod appending;
mod book;
mod composing;
mod examining;
mod filling;
mod lock;
#[cfg(test)]
mod replaying;
mod source;
mod switching;

use std::fs;
use std::path::{Path, PathBuf};

use runledger_context::run::RunId;
use runledger_steps::{Step, reached};

use crate::error::{Error, Result};
use crate::folder::{Folder, open_regular};
use crate::fragment::{self, Fragment};
use crate::hdf5;
use crate::results_dir;
use appending::Ready;
use composing::compose;
use examining::draft_name;
use source::{Failure, Source};

pub use examining::{examine, make_room_for};
pub use lock::{Lock, lock};

/// Groups whose members belong to the variables of the same names.
const SPECIAL: [&str; 3] = [".reduced", ".preview", ".errors"];

/// The file of a run's full results.
pub fn path(database_dir: &Path, run: RunId) -> PathBuf {
    results_dir::path(database_dir).join(format!("{}.h5", results_dir::stem(run)))
}

/// Merges fragments of a run, oldest first, into its file. The fragments stay; doing it again changes nothing.
///
/// # Errors
/// [`Error::Results`], naming the file that cannot be read or written; the run's file is as it was then.
pub fn merge(database_dir: &Path, run: RunId, fragments: &[Fragment]) -> Result<()> {
    let folder = results_dir::open(database_dir)?;
    let in_it = |path: &Path| folder.at(path.file_name().unwrap_or_default());
    let fragments: Vec<PathBuf> = fragments.iter().map(|one| in_it(&one.path)).collect();
    let place = in_it(&path(database_dir, run));
    let draft = folder.at(draft_name(run));
    merge_into(&folder, &place, &draft, &fragments).map_err(|error| folder.naming(error))?;
    fragment::be_as_new_as(&place, fragments.iter().map(PathBuf::as_path));
    reached(Step::RunFileDated);
    Ok(())
}

fn merge_into(folder: &Folder, place: &Path, draft: &Path, fragments: &[PathBuf]) -> Result<()> {
    let failed = |failure| unusable(place, failure);
    let mut sources = Vec::new();
    let is_new = place.symlink_metadata().is_err();
    if !is_new {
        sources.push(Source::run_file(place).map_err(failed)?);
    }
    for fragment in fragments {
        sources.push(Source::fragment(fragment).map_err(failed)?);
    }
    if !is_new && let Some(mut ready) = added(folder, &sources) {
        reached(Step::MergeAppended);
        return ready
            .switch()
            .map_err(|error| Error::results(place, error.to_string()));
    }
    if let Err(failure) = compose(draft, &sources) {
        // What is left of it says nothing that the error does not say.
        let _ = fs::remove_file(draft);
        return Err(failed(failure));
    }
    reached(Step::MergeComposed);
    let settled = match is_new {
        true => results_dir::settle_new(draft, place),
        false => results_dir::settle(draft, place),
    };
    if settled.is_err() {
        // The next one is composed anew: what could not be made to last is not to be believed.
        let _ = fs::remove_file(draft);
    }
    settled
}

/// A file that the system does not give out may be sound, and so may one that somebody had locked until now.
fn unusable(place: &Path, (path, reason): Failure) -> Error {
    // What may not be opened here may be as sound.
    if path != place || open_regular(place).is_err() {
        return Error::results(&path, reason);
    }
    // The driver that opens it for merging does not tell why it cannot.
    match hdf5::try_reading(place) {
        Err(reason) if !hdf5::is_of_the_system(&reason) => Error::DamagedRunFile { path, reason },
        Err(reason) => Error::results(place, reason),
        Ok(()) => Error::results(place, reason),
    }
}

/// The run's file with what is new behind its end; None where it has to be composed anew.
fn added(folder: &Folder, sources: &[Source]) -> Option<Ready> {
    let file = &sources[0].path;
    let base = appending::base(sources).unwrap_or_else(|why| {
        tracing::warn!("{}: {why}", folder.shown(file).display());
        None
    })?;
    match appending::append(base, sources) {
        Ok(ready) => Some(ready),
        Err((path, why)) => {
            tracing::warn!(
                "{} is composed anew, because of {}: {why}",
                folder.shown(file).display(),
                folder.shown(&path).display()
            );
            // The next one clears it away, too.
            let _ = appending::give_back(file);
            None
        }
    }
}
