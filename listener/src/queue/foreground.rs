//! One job in the foreground: what it prints goes to the run's log, and to whoever looks on.

use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use runledger_steps::{Step, reached};
use tracing::warn;

use super::deadlines::{killed, signal};
use super::local::{account, ending, open_log};
use super::process::is_stopped;
use super::{Account, Ended, LocalSettings, Ticket};
use crate::job::Job;
use crate::ledger::{Ending, Ledger, State};
use crate::{Error, Result};

/// How long the last of a job's output may take after its process has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often it is looked whether a job has ended whose output goes on; whose output has ended.
const LOOK: Duration = Duration::from_millis(50);
const SHORT_LOOK: Duration = Duration::from_millis(5);

/// Runs a job that is not in the ledger yet to its end, here and now. What it prints goes to `screen`, too.
///
/// # Errors
/// It cannot be started.
pub fn run_in_foreground(
    job: &Job,
    settings: &LocalSettings,
    screen: impl Write + Send + 'static,
) -> Result<Ended> {
    let mut ledger = Ledger::open(&job.database_dir)?;
    let log = open_log(job)?;
    let attempt = ledger.plan_here(job, "local")?;
    let failed = |e: std::io::Error| {
        Error::Queue(format!(
            "{} does not start: {e}",
            settings.program.display()
        ))
    };
    let begun = begin(settings.command(job, attempt)).map_err(failed);
    let (mut child, output) = begun.inspect_err(|why| give_up(&mut ledger, job, attempt, why))?;
    let ticket = Ticket {
        id: child.id().to_string(),
        cluster: None,
    };
    reached(Step::JobSubmitted);
    // It runs, written down or not.
    let _ = ledger.placed(&[(job.processing_id.clone(), attempt, ticket)]);
    let (done, copied) = mpsc::channel();
    std::thread::spawn(move || {
        copy(output, log, screen);
        // Nobody waits any more if that took too long.
        let _ = done.send(());
    });
    let account = end_of(&mut child, &copied, settings);
    // A process that the job left behind may hold the other end for ever.
    let _ = copied.recv_timeout(LAST_WORDS);
    Ok(Ended {
        job: job.clone(),
        attempt,
        account,
    })
}

/// Waits for the end of a job, and kills one that is stopped when its time is over.
fn end_of(child: &mut Child, copied: &Receiver<()>, settings: &LocalSettings) -> Account {
    let (begun, most) = (
        Instant::now(),
        settings.time_limit.saturating_add(settings.grace),
    );
    while begun.elapsed() < most || !is_stopped(child.id()) {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return account(ending(status)),
            Err(_) => return account(Ending::Unseen),
        }
        // Its output ends with it, as a rule: then it is looked at once more at once.
        if copied.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
            std::thread::sleep(SHORT_LOOK);
        }
    }
    let _ = signal(child.id(), Signal::SIGKILL);
    let _ = child.wait();
    killed()
}

/// Starts the process; what it prints comes out of the pipe.
fn begin(mut command: Command) -> std::io::Result<(Child, PipeReader)> {
    let (output, input) = pipe()?;
    let again = input.try_clone()?;
    let child = command.stdout(input).stderr(again).spawn()?;
    // Our ends of the pipe are closed with the command: copying ends with the job.
    Ok((child, output))
}

fn give_up(ledger: &mut Ledger, job: &Job, attempt: u32, why: &Error) {
    let id = &job.processing_id;
    let ended = ledger
        .end(id, attempt, State::Failed, Some(&why.to_string()), None)
        .and_then(|_| ledger.settled(id, attempt));
    if let Err(error) = ended {
        warn!(
            proposal = job.run.proposal.0,
            run = job.run.number.0,
            "the job does not start, and that cannot be written down: {error}"
        );
    }
}

/// Until nobody writes any more. A log or screen that takes no more does not stop the job.
fn copy(mut output: PipeReader, mut log: File, mut screen: impl Write) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        let _ = log.write_all(&buffer[..length]);
        let _ = screen
            .write_all(&buffer[..length])
            .and_then(|()| screen.flush());
    }
}
