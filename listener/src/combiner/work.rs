//! What the service has done for it, and what comes of it: plain values, which can be told to another process.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_storage::fragment::{self, Fragment};
use runledger_storage::run_file;
use serde::{Deserialize, Serialize};

use super::broken::Named;
use super::merging::{merge_quietly, ready_runs};
use super::request::Submission;
use super::{leftovers, limits};
use crate::Result;
use crate::ledger::Ledger;

/// How long another program may hold a table before its runs wait for their next turn.
const BUSY: Duration = Duration::from_secs(1);

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Work {
    /// See which runs of a folder have fragments, and whether its outbox has messages.
    Look(PathBuf),
    /// The same, without what dead jobs left: no file of results is opened.
    Glance(PathBuf),
    /// Merge what is ready of a run that was found by looking.
    Merge(PathBuf, RunId),
    /// Merge what was announced, and the run's other fragments with it.
    Follow(Submission),
    /// Read a fragment alone, and change nothing.
    Examine(Submission),
    /// Say which variables a fragment has.
    Name(Submission),
}

/// What came of a piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Runs that have fragments, and whether messages wait.
    Seen {
        /// The runs.
        runs: Vec<RunId>,
        /// Whether messages wait in the outbox.
        news: bool,
    },
    /// These fragments are merged; nothing is left to do.
    Done(Vec<PathBuf>),
    /// What could be read of a fragment.
    Named(Named),
    /// The announced fragment cannot be seen.
    NotThere,
    /// What was announced may not be followed.
    Refused(String),
    /// Not now; the fragments are still there.
    Failed(String),
    /// Whoever was at it has crashed.
    Crashed(String),
    /// Another combiner is at work there, or another program has the database locked.
    Busy(String),
}

impl Work {
    /// The database's folder.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Look(folder) | Self::Glance(folder) | Self::Merge(folder, _) => folder,
            Self::Follow(asked) | Self::Examine(asked) | Self::Name(asked) => &asked.database_dir,
        }
    }

    /// The run, of which only one piece of work is done at a time.
    pub(super) fn run(&self) -> Option<RunId> {
        match self {
            Self::Look(_) | Self::Glance(_) => None,
            Self::Merge(_, run) => Some(*run),
            Self::Follow(asked) | Self::Examine(asked) | Self::Name(asked) => Some(asked.run),
        }
    }
}

/// Why there is nothing to do, if so. To be asked before anything is done: whoever can announce names any path.
pub(super) fn forestall(work: &Work) -> Option<Answer> {
    let Work::Follow(submission) = work else {
        return None;
    };
    match submission.check() {
        Err(why) => Some(Answer::Refused(why.to_string())),
        Ok(()) => (!submission.is_there()).then_some(Answer::NotThere),
    }
}

/// Does it; news only gets into the outbox, if it is to be told at all.
pub(super) fn perform(work: &Work, tells: bool) -> Answer {
    let done = match work {
        Work::Look(folder) => {
            leftovers::hand_in(folder);
            look(folder, tells)
        }
        Work::Glance(folder) => look(folder, tells),
        Work::Merge(folder, run) => merge(folder, *run, tells),
        Work::Follow(submission) => follow(submission, tells),
        Work::Examine(submission) => examine(submission),
        Work::Name(submission) => name(submission),
    };
    done.unwrap_or_else(|why| match why.is_lock() {
        true => Answer::Busy(why.to_string()),
        false => Answer::Failed(why.to_string()),
    })
}

/// A folder whose database is gone, or not to be seen just now, has nothing to merge.
fn look(folder: &Path, tells: bool) -> Result<Answer> {
    if !folder.join("runs.sqlite").is_file() {
        let (runs, news) = (Vec::new(), false);
        return Ok(Answer::Seen { runs, news });
    }
    let news = tells && Ledger::is_in(folder) && Ledger::open(folder)?.has_waiting_messages()?;
    let runs = ready_runs(folder)?.into_iter().collect();
    Ok(Answer::Seen { runs, news })
}

fn merge(folder: &Path, run: RunId, tells: bool) -> Result<Answer> {
    let combined = merge_quietly(folder, run, BUSY, tells)?;
    Ok(Answer::Done(combined.fragments))
}

fn follow(submission: &Submission, tells: bool) -> Result<Answer> {
    let answer = merge(&submission.database_dir, submission.run, tells)?;
    // Also where it was broken, and is set aside now.
    match submission.is_there() {
        true => Ok(Answer::Failed("it is there still".into())),
        false => Ok(answer),
    }
}

fn examine(submission: &Submission) -> Result<Answer> {
    let folder = &submission.database_dir;
    let _one_writer = run_file::lock(folder, submission.run)?;
    if let Some(fragment) = Fragment::of(&submission.fragment) {
        run_file::examine(folder, &fragment)?;
    }
    Ok(Answer::Done(Vec::new()))
}

fn name(submission: &Submission) -> Result<Answer> {
    let summaries = fragment::summaries(&submission.fragment)?;
    Ok(Answer::Named(Named::from(&summaries)))
}

/// Does what is asked for, one JSON value a line, until nobody asks any more; answers likewise.
///
/// # Errors
/// Nobody can be understood, or hears the answers.
pub fn serve_requests(
    requests: impl BufRead,
    mut answers: impl Write,
    tells: bool,
) -> std::io::Result<()> {
    limits::limit_memory();
    for line in requests.lines() {
        let work: Work = serde_json::from_str(&line?)?;
        limits::limit_time(&work);
        let answer = serde_json::to_string(&perform(&work, tells))?;
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}
