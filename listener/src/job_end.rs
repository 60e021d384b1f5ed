//! What is left to do when a job's process has ended and did not say how the job went.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use runledger_context::value::Failure;
use runledger_storage::{Database, fragment};
use tracing::{error, info, warn};

use crate::Result;
use crate::job::Job;
use crate::ledger::{Ending, Ledger, State};
use crate::publisher::Publisher;
use crate::queue::Ended;
use crate::queue::open_log;
use crate::updates::{FILE_SUBMISSIONS, Update};

/// A job that vanished unseen (this machine was restarted) is tried this often.
const TRIES: u32 = 3;

/// How a job went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It handed in what it computed.
    Finished,
    /// It failed; what it had finished is handed in.
    Failed,
    /// It vanished through no fault of its own, and is to be submitted again.
    Again,
}

/// Closes the books on a job whose process has ended: what it had finished is handed in, its log and the
/// clients hear of its end.
///
/// # Errors
/// The ledger cannot be read or written: to be called again.
pub fn settle(ended: &Ended, publisher: &mut Publisher) -> Result<Outcome> {
    let Ended { job, ending } = ended;
    let ledger = Ledger::open(&job.database_dir)?;
    match ledger.state(&job.processing_id)? {
        Some(State::Finished) => return Ok(Outcome::Finished),
        Some(state) if state.is_final() => return Ok(Outcome::Failed),
        _ => {}
    }
    let tries = ledger
        .last_attempt(&job.processing_id)?
        .map_or(0, |attempt| attempt.number);
    if *ending == Ending::Unseen && tries < TRIES {
        info!(run = %job.run, "the job vanished, trying again");
        ledger.set_state(&job.processing_id, State::Planned, None)?;
        return Ok(Outcome::Again);
    }
    let why = describe(*ending);
    warn!(run = %job.run, "the job did not finish: {why}");
    let kept = hand_in(job, &why);
    if let Kept::Fragment(fragment) = &kept {
        announce(job, fragment, publisher);
    }
    write_log(job, &format!("The job did not finish: {why}. {kept}\n"));
    publish_end(job, publisher);
    let state = if *ending == Ending::Unseen {
        State::Lost
    } else {
        State::Failed
    };
    ledger.set_state(&job.processing_id, state, Some(&why))?;
    Ok(Outcome::Failed)
}

fn describe(ending: Ending) -> String {
    match ending {
        Ending::Exit(code) => format!("its process ended with exit code {code}"),
        Ending::Signal(number) => match Signal::try_from(number) {
            Ok(signal) => format!("its process was ended by {signal}"),
            Err(_) => format!("its process was ended by signal {number}"),
        },
        Ending::Unseen => "its process vanished unseen".into(),
    }
}

/// What is kept of a job that did not finish.
enum Kept {
    /// It was not writing a fragment: it had not begun, or had completed it.
    NothingOpen,
    /// What it had finished.
    Fragment(PathBuf),
    /// It died in the middle of a write, for this reason its file is of no use.
    Unreadable(String),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingOpen => write!(f, "It left nothing half-done."),
            Self::Fragment(_) => write!(f, "What it had finished is kept."),
            Self::Unreadable(why) => write!(f, "What it had finished cannot be read: {why}"),
        }
    }
}

/// Completes the fragment that the job was writing, if there is one; the variable that was running gets the reason.
fn hand_in(job: &Job, why: &str) -> Kept {
    let writing = fragment::writing_path(&job.database_dir, job.run, &job.processing_id);
    if !writing.is_file() {
        return Kept::NothingOpen;
    }
    let running: Vec<_> = fragment::running(&writing)
        .map(|name| (name, died(why)))
        .into_iter()
        .collect();
    match fragment::salvage(&writing, &running) {
        Ok(ready) => Kept::Fragment(ready),
        Err(why) => {
            error!(run = %job.run, "what the job had finished cannot be read: {why}");
            Kept::Unreadable(why.to_string())
        }
    }
}

fn died(why: &str) -> Failure {
    Failure {
        class: "JobDied".into(),
        message: format!("the job did not finish: {why} while this variable was evaluated"),
    }
}

fn announce(job: &Job, fragment: &Path, publisher: &mut Publisher) {
    let update = Update::submission(&job.database_dir, fragment, job.run);
    publisher.publish(&job.database_dir, FILE_SUBMISSIONS, &update);
}

fn publish_end(job: &Job, publisher: &mut Publisher) {
    match Database::open(&job.database_dir) {
        Ok(db) => publisher.publish(
            &job.database_dir,
            &db.update_topic(),
            &Update::finished(job),
        ),
        Err(why) => {
            error!(run = %job.run, "the clients are not told that the job has ended: {why}")
        }
    }
}

fn write_log(job: &Job, line: &str) {
    let written = open_log(job).map(|mut log| log.write_all(line.as_bytes()));
    if !matches!(written, Ok(Ok(()))) {
        warn!(run = %job.run, log = %job.log().display(), "the log cannot be written");
    }
}
