//! One job in the foreground: what it prints goes to the run's log and to the terminal.

use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::sync::mpsc;
use std::time::Duration;

use super::local::{begin, ending, note_end, open_log};
use super::{Ended, LocalSettings};
use crate::job::Job;
use crate::{Error, Result};

/// How long the last of a job's output may take after its process has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
    let (done, copied) = mpsc::channel();
    std::thread::spawn(move || {
        copy(output, log);
        // Nobody waits any more if that took too long.
        let _ = done.send(());
    });
    let ending = child.wait().map_or(crate::ledger::Ending::Unseen, ending);
    // A process that the job left behind may hold the other end for ever.
    let _ = copied.recv_timeout(LAST_WORDS);
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
