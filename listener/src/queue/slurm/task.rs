//! A task of an array finds out what it is to do: the ledger knows it by the array's token and the task's number.

use std::path::Path;
use std::process::Command;

use crate::ledger::Ledger;
use crate::queue::open_log;
use crate::{Error, Result};

/// The command that does the work of a task, with what it prints going to its run's log: Slurm does not know the run.
///
/// # Errors
/// The ledger of the database in `database_dir` has no such task, or cannot be read; or the log cannot be written.
pub fn task_command(
    database_dir: &Path,
    token: &str,
    task: u32,
    program: &Path,
) -> Result<Command> {
    let ledger = Ledger::open(database_dir)?;
    let missing = || {
        Error::Queue(format!(
            "the ledger has no task {task} of the array {token}"
        ))
    };
    let attempt = ledger.attempt_of_task(token, task)?.ok_or_else(missing)?;
    let entry = ledger.job(&attempt.processing_id)?.ok_or_else(missing)?;
    let log = open_log(&entry.job)?;
    let again = log.try_clone().map_err(|why| Error::Log {
        path: entry.job.log(),
        reason: why.to_string(),
    })?;
    let mut command = Command::new(program);
    command
        .args(entry.job.arguments(attempt.number))
        .current_dir(database_dir)
        .stdout(log)
        .stderr(again);
    Ok(command)
}
