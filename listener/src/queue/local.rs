//! Jobs on this machine: at most so many at once; the others wait, and none is dropped.
//!
//! Every job is a process in a group of its own: it goes on when the listener stops, and the next
//! listener recognises it. What waits is in the ledger. Two jobs of one run may run side by side, as
//! in DAMNIT: each writes its own fragment.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc::O_NOFOLLOW;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use runledger_storage::sharing;
use tracing::{debug, info, warn};

use super::{Ended, JobState, Process, QueueManager, QueueStatus, Ticket};
use crate::job::Job;
use crate::ledger::{Ending, Entry, Ledger, State};
use crate::{Error, Result};

/// What a job inherits from a Slurm job or a desktop by mistake, and must not.
const NOT_INHERITED: [&str; 4] = [
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "DISPLAY",
    "LD_PRELOAD",
];

/// How soon a job that could not be started is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How jobs are run here.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// The `runledger` binary.
    pub program: PathBuf,
    /// The configuration that the jobs read.
    pub config: Option<PathBuf>,
    /// At most this many at once.
    pub limit: usize,
}

impl LocalSettings {
    /// The process of a job, not started, with its input and output still to be set.
    pub(super) fn command(&self, job: &Job) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(job.arguments())
            .current_dir(&job.database_dir)
            .stdin(Stdio::null())
            .process_group(0);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        if let Some(config) = &self.config {
            command.env("RUNLEDGER_CONFIG", config);
        }
        command
    }
}

/// Jobs on this machine.
pub struct LocalQueue {
    settings: LocalSettings,
    waiting: VecDeque<Waiting>,
    running: Vec<Running>,
    ended: Vec<Ended>,
}

struct Waiting {
    job: Job,
    /// After a try that failed.
    not_before: Option<Instant>,
}

struct Running {
    job: Job,
    attempt: u32,
    handle: Handle,
}

enum Handle {
    /// We started it.
    Child(Child),
    /// An earlier listener did.
    Watched(Process),
}

impl LocalQueue {
    /// An empty queue.
    pub fn new(settings: LocalSettings) -> Self {
        Self {
            settings,
            waiting: VecDeque::new(),
            running: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn has(&self, processing_id: &str) -> bool {
        let running = self.running.iter().map(|running| &running.job);
        let ended = self.ended.iter().map(|ended| &ended.job);
        let waiting = self.waiting.iter().map(|waiting| &waiting.job);
        waiting
            .chain(running)
            .chain(ended)
            .any(|job| job.processing_id == processing_id)
    }

    /// Starts what waits, in order; a job that cannot be started keeps its place and holds no other one up.
    fn start_waiting(&mut self) {
        let now = Instant::now();
        let mut passed = VecDeque::new();
        while self.running.len() < self.settings.limit
            && let Some(waiting) = self.waiting.pop_front()
        {
            if waiting.not_before.is_some_and(|when| when > now) {
                passed.push_back(waiting);
                continue;
            }
            match start(&self.settings, &waiting.job) {
                Ok(running) => self.running.push(running),
                Err(error) => passed.push_back(waiting.later(&error)),
            }
        }
        passed.append(&mut self.waiting);
        self.waiting = passed;
    }

    fn wait(&mut self, job: Job) {
        self.waiting.push_back(Waiting {
            job,
            not_before: None,
        });
    }

    fn reap(&mut self) {
        for index in (0..self.running.len()).rev() {
            if let Some(ending) = self.running[index].handle.ending() {
                let Running { job, attempt, .. } = self.running.swap_remove(index);
                note_end(&job, attempt, ending);
                self.ended.push(Ended { job, ending });
            }
        }
    }

    /// Takes over a job that an earlier listener had started.
    fn take_over(&mut self, ledger: &Ledger, job: Job) -> Result<()> {
        let ended = |job| Ended {
            job,
            ending: Ending::Unseen,
        };
        match ledger.last_attempt(&job.processing_id)? {
            Some(attempt) if !attempt.process.is_here() => {}
            Some(attempt) if attempt.process.is_alive() => self.running.push(Running {
                job,
                attempt: attempt.number,
                handle: Handle::Watched(attempt.process),
            }),
            Some(attempt) => {
                note_end(&job, attempt.number, Ending::Unseen);
                self.ended.push(ended(job));
            }
            None => self.ended.push(ended(job)),
        }
        Ok(())
    }

    /// A job may have begun without anybody having written that down: it is not begun again.
    fn watch_unnoted(&mut self, job: Job, process: Process) {
        let attempt = begin(&job, process.pid);
        self.running.push(Running {
            job,
            attempt,
            handle: Handle::Watched(process),
        });
    }
}

impl Waiting {
    fn later(self, why: &Error) -> Self {
        let run = self.job.run;
        match self.not_before {
            None => warn!(%run, "the job cannot be started, trying again: {why}"),
            Some(_) => debug!(%run, "the job still cannot be started: {why}"),
        }
        Self {
            not_before: Some(Instant::now() + AGAIN),
            ..self
        }
    }
}

impl QueueManager for LocalQueue {
    fn can_submit(&self) -> bool {
        true
    }

    fn submit(&mut self, job: &Job) -> Result<Ticket> {
        if !self.has(&job.processing_id) {
            Ledger::open(&job.database_dir)?.set_state(&job.processing_id, State::Queued, None)?;
            self.wait(job.clone());
        }
        Ok(Ticket(job.processing_id.clone()))
    }

    fn resume(&mut self, database_dir: &Path) -> Result<()> {
        let ledger = Ledger::open(database_dir)?;
        let mut at_jobs = Process::at_jobs();
        for Entry { job, state, .. } in ledger.unfinished()? {
            if self.has(&job.processing_id) {
                continue;
            }
            info!(run = %job.run, state = state.as_str(), "taking over an unfinished job");
            let last = ledger.last_attempt(&job.processing_id)?;
            let is_last = |process: &Process| last.as_ref().is_some_and(|l| l.process == *process);
            match at_jobs.remove(&job.processing_id) {
                Some(process) if !is_last(&process) => self.watch_unnoted(job, process),
                _ if state == State::Running => self.take_over(&ledger, job)?,
                _ => self.wait(job),
            }
        }
        Ok(())
    }

    fn states(&mut self, tickets: &[Ticket]) -> Result<Vec<JobState>> {
        let state = |Ticket(id): &Ticket| {
            if self
                .waiting
                .iter()
                .any(|waiting| waiting.job.processing_id == *id)
            {
                JobState::Waiting
            } else if self
                .running
                .iter()
                .any(|running| running.job.processing_id == *id)
            {
                JobState::Running
            } else {
                JobState::Gone
            }
        };
        Ok(tickets.iter().map(state).collect())
    }

    fn delete(&mut self, ticket: &Ticket) -> Result<()> {
        self.waiting
            .retain(|waiting| waiting.job.processing_id != ticket.0);
        let running = self
            .running
            .iter()
            .find(|running| running.job.processing_id == ticket.0);
        running.map_or(Ok(()), |running| running.handle.end())
    }

    fn status(&self) -> QueueStatus {
        QueueStatus {
            waiting: self.waiting.len(),
            running: self.running.len(),
        }
    }

    fn advance(&mut self) -> Vec<Ended> {
        self.reap();
        self.start_waiting();
        std::mem::take(&mut self.ended)
    }
}

impl Handle {
    /// How it ended; None while it runs.
    fn ending(&mut self) -> Option<Ending> {
        match self {
            Self::Child(child) => match child.try_wait() {
                Ok(status) => status.map(ending),
                Err(_) => Some(Ending::Unseen),
            },
            Self::Watched(process) => (!process.is_alive()).then_some(Ending::Unseen),
        }
    }

    fn end(&self) -> Result<()> {
        let pid = match self {
            Self::Child(child) => child.id(),
            Self::Watched(process) => process.pid,
        };
        let group = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
        killpg(group, Signal::SIGTERM)
            .map_err(|e| Error::Queue(format!("process group {pid}: {e}")))
    }
}

fn start(settings: &LocalSettings, job: &Job) -> Result<Running> {
    let log = open_log(job)?;
    let again = log.try_clone().map_err(|e| log_error(job, &e))?;
    let child = settings.command(job).stdout(log).stderr(again).spawn();
    let child = child.map_err(|e| {
        Error::Queue(format!(
            "{} does not start: {e}",
            settings.program.display()
        ))
    })?;
    let attempt = begin(job, child.id());
    Ok(Running {
        job: job.clone(),
        attempt,
        handle: Handle::Child(child),
    })
}

/// Writes the try down. The process is there already, so it goes on even where that fails.
pub(super) fn begin(job: &Job, pid: u32) -> u32 {
    let begun = Ledger::open(&job.database_dir)
        .and_then(|mut ledger| ledger.begin_attempt(&job.processing_id, &Process::here(pid)));
    begun.unwrap_or_else(|error| {
        warn!(run = %job.run, "the job runs, but that could not be written down: {error}");
        0
    })
}

pub(super) fn note_end(job: &Job, attempt: u32, ending: Ending) {
    let noted = Ledger::open(&job.database_dir)
        .and_then(|ledger| ledger.end_attempt(&job.processing_id, attempt, ending));
    if let Err(error) = noted {
        warn!(run = %job.run, "the job has ended, but that could not be written down: {error}");
    }
}

pub(super) fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Unseen,
    }
}

/// Opens a run's log for appending.
pub(crate) fn open_log(job: &Job) -> Result<std::fs::File> {
    let path = job.log();
    let folder = path.parent().unwrap_or(Path::new("."));
    // Not the folders above: a database that was removed stays so.
    match std::fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(log_error(job, &e)),
        _ => sharing::share_folder(folder).map_err(|e| log_error(job, &e))?,
    }
    // Everybody may write into the folder: a link there could lead to any file of ours.
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .custom_flags(O_NOFOLLOW)
        .open(&path);
    let log = log.map_err(|e| log_error(job, &e))?;
    sharing::share_file(&path).map_err(|e| log_error(job, &e))?;
    Ok(log)
}

fn log_error(job: &Job, error: &std::io::Error) -> Error {
    Error::Log {
        path: job.log(),
        reason: error.to_string(),
    }
}
