//! Results that are complete: how they are announced, and what users' code hands in by itself.

use std::io::Read;
use std::path::{Path, PathBuf};

use runledger_context::run::RunId;
use runledger_context::worker::{Submission, receive_submission};
use runledger_steps::{Step, reached};
use runledger_storage::Database;
use runledger_storage::fragment::FragmentWriter;
use tracing::error;
use uuid::Uuid;

use super::recording;
use super::telling::Telling;
use crate::job::Job;
use crate::publisher::Publisher;
use crate::updates::{FILE_SUBMISSIONS, Update};
use crate::{Result, combiner};

/// Announces a complete fragment; where there is no broker, so no combiner that would hear of it, merges it.
///
/// # Errors
/// It could not be merged, and waits for another time.
pub(super) fn hand_in(
    database_dir: &Path,
    fragment: &Path,
    run: RunId,
    publisher: &mut Publisher,
) -> Result<()> {
    if publisher.is_enabled() {
        let submission = Update::submission(database_dir, fragment, run);
        publisher.publish(database_dir, FILE_SUBMISSIONS, &submission);
        publisher.advance();
    } else {
        combiner::merge_run(database_dir, run, combiner::ATTENDED, publisher)?;
    }
    reached(Step::FragmentAnnounced);
    Ok(())
}

/// What a job does with what its variables hand in by themselves: for any run of any database, or for that of `only`
/// this job, where users' code is held to what it needs.
pub(super) fn taken_by(
    telling: Telling,
    only: Option<Job>,
) -> impl FnMut(&mut Submission<'_>) -> std::result::Result<PathBuf, String> + Send + 'static {
    move |submission| {
        if let Some(job) = only.as_ref().filter(|job| !is_of(submission, job)) {
            return Err(format!(
                "in the sandbox of a job of {} results of that run can be saved, in {}, and no others",
                job.run,
                job.database_dir.display()
            ));
        }
        let saved = save(submission, |dir, fragment, run| {
            hand_in(dir, fragment, run, &mut telling.lock())
        });
        saved.map_err(|why| why.to_string())
    }
}

fn is_of(submission: &Submission<'_>, job: &Job) -> bool {
    submission.run == job.run && submission.database_dir == job.database_dir
}

/// Takes the one submission that comes over a pipe, from a notebook; returns its fragment, which is gone when it
/// is merged.
///
/// # Errors
/// Nothing was saved, and why.
pub fn save_results(source: &mut impl Read, mut publisher: Publisher) -> Result<PathBuf> {
    let saved = receive_submission(source, |submission| {
        save(submission, |dir, fragment, run| {
            publisher.drain(dir);
            hand_in(dir, fragment, run, &mut publisher)
        })
    })?;
    publisher.close(super::FAREWELL);
    saved
}

fn save(
    submission: &mut Submission<'_>,
    hand_in: impl FnOnce(&Path, &Path, RunId) -> Result<()>,
) -> Result<PathBuf> {
    let fragment = write(submission)?;
    if let Err(why) = hand_in(&submission.database_dir, &fragment, submission.run) {
        error!(
            proposal = submission.run.proposal.0,
            run = submission.run.number.0,
            "{} is saved, and waits to be merged: {why}",
            fragment.display()
        );
    }
    Ok(fragment)
}

/// Writes a submission as a fragment of its own; half of one leaves nothing.
fn write(submission: &mut Submission<'_>) -> Result<PathBuf> {
    let dir = &submission.database_dir;
    // Only databases have results.
    Database::open(dir)?;
    let token = Uuid::new_v4().to_string();
    let mut writer = FragmentWriter::create(dir, submission.run, &token, &submission.provenance)?;
    match fill(&mut writer, submission) {
        Ok(()) => Ok(writer.finish()?),
        Err(why) => {
            writer.discard();
            Err(why)
        }
    }
}

fn fill(writer: &mut FragmentWriter, submission: &mut Submission<'_>) -> Result<()> {
    while let Some((name, outcome)) = submission.next_result()? {
        recording::save(writer, &name, &outcome)?;
    }
    Ok(())
}
