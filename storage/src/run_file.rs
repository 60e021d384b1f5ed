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

use crate::error::{Error, Result};
use crate::fragment::{self, Fragment};
use crate::results_dir;
use appending::Ready;
use composing::compose;
use examining::draft;
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
    let place = path(database_dir, run);
    merge_into(&place, database_dir, run, fragments)?;
    fragment::be_as_new_as(&place, fragments.iter().map(|one| one.path.as_path()));
    Ok(())
}

fn merge_into(place: &Path, database_dir: &Path, run: RunId, fragments: &[Fragment]) -> Result<()> {
    let failed = |(path, reason): Failure| Error::results(&path, reason);
    let mut sources = Vec::new();
    let is_new = !place.is_file();
    if !is_new {
        sources.push(Source::run_file(place).map_err(failed)?);
    }
    for fragment in fragments {
        sources.push(Source::fragment(&fragment.path).map_err(failed)?);
    }
    if !is_new && let Some(mut ready) = added(&sources) {
        return ready
            .switch()
            .map_err(|error| Error::results(place, error.to_string()));
    }
    let draft = draft(database_dir, run);
    if let Err(failure) = compose(&draft, &sources) {
        // What is left of it says nothing that the error does not say.
        let _ = fs::remove_file(&draft);
        return Err(failed(failure));
    }
    match is_new {
        true => results_dir::settle_new(&draft, place),
        false => results_dir::settle(&draft, place),
    }
}

/// The run's file with what is new behind its end; None where it has to be composed anew.
fn added(sources: &[Source]) -> Option<Ready> {
    let base = appending::base(sources).unwrap_or_else(|why| {
        tracing::warn!("{}: {why}", sources[0].path.display());
        None
    })?;
    match appending::append(base, sources) {
        Ok(ready) => Some(ready),
        Err((path, why)) => {
            let file = &sources[0].path;
            tracing::warn!(
                "{} is composed anew, because of {}: {why}",
                file.display(),
                path.display()
            );
            // The next one clears it away, too.
            let _ = appending::give_back(file);
            None
        }
    }
}
