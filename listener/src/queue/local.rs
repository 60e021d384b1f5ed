//! Jobs on this machine: at most so many at once.
//!
//! Every job is a process in a group of its own: it goes on when the listener stops, and the next
//! listener recognises it. Two jobs of one run may run side by side, as in DAMNIT: each writes its own fragment.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use runledger_storage::folder::Folder;
use runledger_storage::sharing;

use super::{
    Account, Batch, Denied, Fault, JobState, Pace, Process, QueueManager, Refusal, Ticket,
    deadlines::Deadlines, inherited, wrapped::Wrapped,
};
use crate::job::{Job, Request};
use crate::ledger::{Attempt, Ending};
use crate::{Error, Result};

const PACE: Pace = Pace {
    every: Duration::from_millis(50),
    gone_after: Duration::from_secs(1),
};

/// The exit code of a job that came to nothing because of a disk or another program's lock, and is worth another try:
/// `EX_TEMPFAIL` of sysexits.h.
pub const TRY_AGAIN: i32 = 75;

/// How jobs are run here.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// The `runledger` binary.
    pub program: PathBuf,
    /// The configuration that the jobs read.
    pub config: Option<PathBuf>,
    /// At most this many at once, unless that is changed.
    pub limit: usize,
    /// How long a job may take: it sees to that itself, unless it is stopped.
    pub time_limit: Duration,
    /// One that is stopped is killed so long after that; and any that has not ended so long after it was told to.
    pub grace: Duration,
}

/// How long a job usually has to hand in what it has finished.
pub const GRACE: Duration = Duration::from_secs(60);

impl LocalSettings {
    /// The process of a job, not started, with its output still to be set.
    pub(super) fn command(&self, job: &Job, attempt: u32) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(job.arguments(attempt))
            .current_dir(&job.database_dir)
            .stdin(Stdio::null())
            .process_group(0);
        inherited::keep_from(&mut command);
        if let Some(config) = &self.config {
            command.env("RUNLEDGER_CONFIG", config);
        }
        command
    }
}

/// Jobs on this machine.
pub struct LocalQueue {
    settings: LocalSettings,
    limit: AtomicUsize,
    wrapped: Wrapped,
    /// Those that we started, until their ends are written down.
    children: Mutex<HashMap<(String, u32), Started>>,
    deadlines: Mutex<Deadlines>,
}

struct Started {
    child: Child,
    /// Its end was told; when nobody asks about it any more, it is written down.
    is_told: bool,
}

impl LocalQueue {
    /// An empty queue.
    pub fn new(settings: LocalSettings) -> Self {
        Self {
            limit: settings.limit.into(),
            wrapped: Wrapped::default(),
            settings,
            children: Mutex::default(),
            deadlines: Mutex::default(),
        }
    }

    fn children(&self) -> MutexGuard<'_, HashMap<(String, u32), Started>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deadlines(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, job: &Job, attempt: u32) -> Result<Ticket> {
        let log = open_log(job)?;
        let again = log.try_clone().map_err(|e| log_error(job, &e))?;
        let mut command = self.settings.command(job, attempt);
        self.wrapped.pass_to(&mut command);
        let child = command.stdout(log).stderr(again).spawn();
        let program = self.settings.program.display();
        let child = child.map_err(|e| Error::Queue(format!("{program} does not start: {e}")))?;
        let ticket = ticket(child.id());
        let key = (job.processing_id.clone(), attempt);
        let started = Started {
            child,
            is_told: false,
        };
        self.children().insert(key, started);
        Ok(ticket)
    }
}

impl QueueManager for LocalQueue {
    fn name(&self) -> &'static str {
        "local"
    }

    fn can_submit(&self) -> bool {
        true
    }

    fn limit(&self) -> Option<usize> {
        Some(self.limit.load(Ordering::Relaxed))
    }

    fn set_limit(&self, jobs: usize) {
        self.limit.store(jobs, Ordering::Relaxed);
    }

    fn wrap_in(&self, words: &str) {
        self.wrapped.set(words);
    }

    fn array_size(&self) -> usize {
        1
    }

    fn cluster(&self, _request: &Request) -> Option<String> {
        None
    }

    fn pace(&self) -> Pace {
        PACE
    }

    fn submit(&self, batch: &Batch) -> std::result::Result<Vec<Ticket>, Refusal> {
        let started = batch
            .jobs
            .iter()
            .map(|(job, attempt)| self.start(job, *attempt));
        // What is wrong (the disk, the log, the program) may be mended without the job's doing.
        let started: Result<Vec<Ticket>> = started.collect();
        started.map_err(|why| Refusal::NotNow(why.to_string()))
    }

    fn find(&self, attempts: &[Attempt]) -> Result<Vec<Option<Ticket>>> {
        let at_jobs = Process::at_jobs();
        let found = |attempt: &Attempt| at_jobs.get(&key(attempt)).map(|found| ticket(found.pid));
        Ok(attempts.iter().map(found).collect())
    }

    fn states(&self, attempts: &[Arc<Attempt>]) -> Result<Vec<JobState>> {
        let mut children = self.children();
        let asked: Vec<_> = attempts.iter().map(|attempt| key(attempt)).collect();
        children.retain(|key, started| asked.contains(key) || !started.is_told);
        let mut deadlines = self.deadlines();
        let mut at_jobs = None;
        let mut state = |attempt: &Arc<Attempt>| match children.get_mut(&key(attempt)) {
            Some(started) => started.state(),
            None if attempt.process.is_some() => of_stranger(attempt),
            None if has_other_parent(attempt) => JobState::Running,
            None => match at_jobs
                .get_or_insert_with(Process::at_jobs)
                .contains_key(&key(attempt))
            {
                true => JobState::Running,
                false => JobState::Gone,
            },
        };
        let mut states: Vec<JobState> = attempts.iter().map(&mut state).collect();
        for (attempt, state) in attempts.iter().zip(&mut states) {
            match state {
                JobState::Running => {
                    let pid = || pid_of(&children, attempt);
                    deadlines.runs(key(attempt), &self.settings, pid);
                }
                JobState::Ended(_) | JobState::Gone => {
                    if let Some(known) = deadlines.end(&key(attempt)) {
                        *state = JobState::Ended(known);
                    }
                }
                _ => {}
            }
        }
        Ok(states)
    }

    fn is_sure_of_ends(&self) -> bool {
        true
    }

    fn delete(&self, attempts: &[Attempt]) -> Result<Vec<Denied>> {
        let children = self.children();
        let mut denied = Vec::new();
        for attempt in attempts {
            let tell = |pid| self.deadlines().tell(key(attempt), pid, &self.settings);
            if let Some(Err(why)) = pid_of(&children, attempt).map(tell) {
                denied.push(Denied {
                    processing_id: attempt.processing_id.clone(),
                    why: why.to_string(),
                });
            }
        }
        Ok(denied)
    }
}

fn key(attempt: &Attempt) -> (String, u32) {
    (attempt.processing_id.clone(), attempt.number)
}

/// The process that does it, if it is on this machine: the ledger alone could name any.
fn pid_of(children: &HashMap<(String, u32), Started>, attempt: &Attempt) -> Option<u32> {
    match children.get(&key(attempt)) {
        Some(started) => Some(started.child.id()),
        None => attempt
            .process
            .as_ref()
            .filter(|process| process.is_here() && process.is_alive())
            .filter(|process| process.does(&attempt.processing_id, attempt.number))
            .map(|process| process.pid),
    }
}

fn ticket(pid: u32) -> Ticket {
    Ticket {
        id: pid.to_string(),
        cluster: None,
    }
}

impl Started {
    fn state(&mut self) -> JobState {
        match self.child.try_wait() {
            Ok(None) => JobState::Running,
            Ok(Some(status)) => {
                self.is_told = true;
                JobState::Ended(account(ending(status)))
            }
            Err(_) => JobState::Gone,
        }
    }
}

/// One that another process has started, which may still be there to say how it ended.
fn of_stranger(attempt: &Attempt) -> JobState {
    match &attempt.process {
        Some(process) if !process.is_here() => JobState::Other(format!("on {}", process.host)),
        Some(process) if process.is_alive() || has_other_parent(attempt) => JobState::Running,
        _ => JobState::Gone,
    }
}

fn has_other_parent(attempt: &Attempt) -> bool {
    let parent = attempt.submitter.as_ref();
    parent.is_some_and(|parent| {
        parent.pid != std::process::id() && parent.is_here() && parent.is_alive()
    })
}

/// What is known about a process of ours.
pub(super) fn account(ending: Ending) -> Account {
    Account {
        ending,
        fault: match ending {
            Ending::Unseen => Fault::Vanished,
            Ending::Exit(TRY_AGAIN) => Fault::Queue,
            _ => Fault::Job,
        },
        peak_memory: None,
        words: describe(ending),
    }
}

/// How a process ended, in words.
pub(crate) fn describe(ending: Ending) -> String {
    match ending {
        Ending::Exit(TRY_AGAIN) => {
            "its disk, or a database, was full, locked or away; the run's log says more".into()
        }
        Ending::Exit(code) => format!("its process ended with exit code {code}"),
        Ending::Signal(number) => match Signal::try_from(number) {
            Ok(signal) => format!("its process was ended by {signal}"),
            Err(_) => format!("its process was ended by signal {number}"),
        },
        Ending::Unseen => "its process vanished unseen".into(),
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
    let failed = |e: std::io::Error| log_error(job, &e);
    // Not the folders above: a database that was removed stays so.
    match std::fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => sharing::share_folder(folder).map_err(failed)?,
    }
    let folder = Folder::open(folder).map_err(failed)?;
    let log = folder.at(path.file_name().unwrap_or_default());
    sharing::open(std::fs::File::options().create(true).append(true), &log).map_err(failed)
}

fn log_error(job: &Job, error: &std::io::Error) -> Error {
    Error::Log {
        path: job.log(),
        reason: error.to_string(),
    }
}
