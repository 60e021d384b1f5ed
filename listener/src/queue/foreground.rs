//! One job in the foreground: what it prints goes to the run's log and to the terminal.

use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};

use super::local::{begin, ending, note_end, open_log};
use super::{Ended, LocalSettings};
use crate::job::Job;
use crate::{Error, Result};

/// Runs a job to its end, here and now.
///
/// # Errors
/// It cannot be started.
pub fn run_in_foreground(job: &Job, settings: &LocalSettings) -> Result<Ended> {
    let log = open_log(job)?;
    let failed = |e: std::io::Error| {
        Error::Queue(format!(
            "{} does not start: {e}",
            settings.program.display()
        ))
    };
    let (output, input) = pipe().map_err(failed)?;
    let again = input.try_clone().map_err(failed)?;
    let mut command = settings.command(job);
    let mut child = command
        .stdout(input)
        .stderr(again)
        .spawn()
        .map_err(failed)?;
    // Ours ends of the pipe are closed with it: the copy below ends with the job.
    drop(command);
    let attempt = begin(job, child.id());
    copy(output, log);
    let ending = child.wait().map_or(crate::ledger::Ending::Unseen, ending);
    note_end(job, attempt, ending);
    Ok(Ended {
        job: job.clone(),
        ending,
    })
}

/// Until nobody writes any more. A log or terminal that takes no more does not stop the job.
fn copy(mut output: PipeReader, mut log: File) {
    let mut buffer = [0; 16 * 1024];
    let mut terminal = std::io::stdout();
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        let _ = log.write_all(&buffer[..length]);
        let _ = terminal
            .write_all(&buffer[..length])
            .and_then(|()| terminal.flush());
    }
}
