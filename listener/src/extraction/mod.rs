//! What one job does: from the users' context file to a fragment that is announced.

mod handover;
mod progress;
mod recording;
mod sandbox;
mod submission;
mod telling;
mod work;

pub use submission::save_results;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use runledger_context::manifest::Manifest;
use runledger_context::selection::Selection;
use runledger_context::worker::{CutShort, Launcher, Limits, Setup, Stop, Worker};
use runledger_sandbox::Enclosure;
use runledger_storage::Database;
use runledger_storage::database::{DeclaredVariable, SettingValue};
use tracing::{info, warn};

use crate::job::Job;
use crate::ledger::{Claim, Ending, Ledger, Planned, Progress, State};
use crate::publisher::Publisher;
use crate::queue::{Process, Surroundings, TRY_AGAIN};
use crate::settings::DataSettings;
use crate::updates::{Update, VariableSet};
use crate::{Error, Result};
use handover::Handover;
use telling::{Heartbeat, Telling};
use work::Work;

/// How long the messages of a job that is done may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// Who evaluates jobs here, and how.
#[derive(Debug, Clone)]
pub struct ExtractionSettings {
    /// The interpreter of databases that name none.
    pub python: PathBuf,
    /// `module:function` that opens a run; None: extra_data.
    pub opener: Option<String>,
    /// What the interpreter finds in its environment beside what is there, such as where the runs are.
    pub environment: BTreeMap<String, String>,
    /// A job that takes longer is ended.
    pub time_limit: Duration,
    /// A variable that takes longer is ended; the job goes on with the others.
    pub variable_time_limit: Option<Duration>,
    /// Bytes that the data of each of the job's Python processes may take; None: no limit.
    pub memory: Option<u64>,
    /// So many variables of a job may be evaluated at once, in forks; 1: one after the other.
    pub context_workers: usize,
    /// How long a Python that has imported everything may wait for the next job; None: none is kept.
    pub keep_python: Option<Duration>,
    /// What keeps context files to what they need.
    pub sandbox: runledger_sandbox::Settings,
    /// Where the data is that they may read then.
    pub data: DataSettings,
    /// Ends the job at once; what it has finished is handed in.
    pub stop: Stop,
    /// Where the job finds itself.
    pub surroundings: Surroundings,
}

/// What a job came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Variables that have a value.
    pub computed: usize,
    /// Variables that raised, or were skipped.
    pub failed: usize,
    /// How many variables had their turn, of how many.
    pub progress: Option<Progress>,
    /// Why the job ended before all was evaluated.
    pub cut_short: Option<CutShort>,
    /// The job for the variables that want a node of their own; it is in the ledger.
    pub follow_up: Option<Job>,
    /// Why nothing was done: somebody else does it, or nobody wants it any more.
    pub refused: Option<String>,
}

/// Does a job, as the attempt of this number or as a new one. In Slurm a job for the `cluster=True` variables
/// follows from it, elsewhere they are evaluated here as well. However it ends, that is in the ledger; that it was told
/// to stop by Slurm, Slurm itself tells better, and what a [disk or a lock](Error::is_transient) kept from ending is for
/// another try.
///
/// # Errors
/// What kept it from beginning. What goes wrong in a variable is its result, no error.
pub fn extract(
    job: &Job,
    attempt: Option<u32>,
    settings: &ExtractionSettings,
    publisher: Publisher,
) -> Result<Extracted> {
    let mut db = Database::open(&job.database_dir)?;
    let mut ledger = Ledger::open(&job.database_dir)?;
    // Nobody would try again what was started by hand.
    let is_watched = attempt.is_some();
    let attempt = match claim(&mut ledger, job, attempt, settings)? {
        Claim::Granted(attempt) => attempt,
        Claim::Refused(why) => {
            return Ok(Extracted {
                refused: Some(why),
                ..Extracted::default()
            });
        }
    };
    let telling = Telling::new(publisher, job, db.update_topic());
    telling.lock().drain(&job.database_dir);
    let mut done = evaluate(job, attempt, settings, &mut db, &telling);
    if let Ok(Extracted {
        follow_up: Some(follow_up),
        ..
    }) = &done
    {
        // Before the end of this one: a crash repeats it.
        let source = format!("{} {attempt}", job.processing_id);
        if ledger.plan(Some(&source), follow_up)? != Planned::New {
            Handover::to(follow_up).remove();
            done.as_mut().map(|done| done.follow_up = None).ok();
        }
    }
    // In this order: who hears of the end finds it in the ledger.
    if let Err(why) = &done
        && is_watched
        && why.is_transient()
    {
        leave_to_another_try(&ledger, job, attempt, why);
    } else if !is_for_the_queue_to_tell(&done, settings) {
        let (state, why) = verdict(&done);
        let progress = done.as_ref().ok().and_then(|extracted| extracted.progress);
        ledger.end(&job.processing_id, attempt, state, why.as_deref(), progress)?;
    }
    telling.tell(&Update::finished(job));
    telling.close(FAREWELL);
    done
}

/// A job that was started by hand is in no ledger yet.
fn claim(
    ledger: &mut Ledger,
    job: &Job,
    attempt: Option<u32>,
    settings: &ExtractionSettings,
) -> Result<Claim> {
    let id = &job.processing_id;
    let surroundings = &settings.surroundings;
    let attempt = match ledger.state(id)? {
        None => Some(ledger.plan_here(job, surroundings.queue())?),
        Some(_) => attempt,
    };
    ledger.claim(id, attempt, &Process::this(), surroundings)
}

/// A job that Slurm told to stop does not know whether somebody cancelled it, its time was over, or it had to make room
/// and is to be done again.
fn is_for_the_queue_to_tell(done: &Result<Extracted>, settings: &ExtractionSettings) -> bool {
    let is_in_slurm = settings.surroundings.queue_id.is_some();
    let cut_short = done.as_ref().ok().and_then(|done| done.cut_short.as_ref());
    is_in_slurm && cut_short.is_some_and(|cut_short| cut_short.stopped)
}

/// Our exit code says that it is worth one; why, only we know.
fn leave_to_another_try(ledger: &Ledger, job: &Job, attempt: u32, why: &Error) {
    let (ending, words) = (Ending::Exit(TRY_AGAIN), why.to_string());
    if let Err(also) = ledger.note_end(&job.processing_id, attempt, ending, None, &words) {
        warn!("why the job ends cannot be written down: {also}");
    }
}

fn verdict(done: &Result<Extracted>) -> (State, Option<String>) {
    match done {
        Ok(Extracted {
            cut_short: None, ..
        }) => (State::Finished, None),
        Ok(Extracted {
            cut_short: Some(cut_short),
            ..
        }) => (State::Failed, Some(cut_short.why.clone())),
        Err(error) => (State::Failed, Some(error.to_string())),
    }
}

fn evaluate(
    job: &Job,
    attempt: u32,
    settings: &ExtractionSettings,
    db: &mut Database,
    telling: &Telling,
) -> Result<Extracted> {
    let limits = settings.limits();
    // Lives as long as the worker.
    let enclosure = sandbox::of_job(job, settings)?;
    let mut worker = Worker::start(setup(db, settings, &enclosure)?, &limits)?;
    if job.request.update_variables {
        update_variables(db, worker.manifest(), |changed| telling.tell(changed))?;
    }
    let heartbeat = Heartbeat::start(telling, attempt, &settings.surroundings);
    let only = enclosure.is_built_in.then(|| job.clone());
    worker.on_submission(submission::taken_by(telling.clone(), only));
    let selection = selection(worker.manifest(), job, settings);
    let work = Work::of(job, &selection, worker.manifest(), !enclosure.is_built_in);
    let place = match settings.sandbox.is_on() {
        true => " in a sandbox",
        false => "",
    };
    info!(
        proposal = job.run.proposal.0,
        run = job.run.number.0,
        "evaluating {} of {} variables{place}",
        work.count(),
        worker.manifest().variables.len()
    );
    let recorded = recording::record(job, attempt, settings, &mut worker, &work, &limits);
    drop(heartbeat);
    let handed_in = recorded.and_then(|(fragment, extracted)| {
        submission::hand_in(&job.database_dir, &fragment, job.run, &mut telling.lock())?;
        Ok(extracted)
    });
    let mut extracted = match handed_in {
        Ok(extracted) => extracted,
        Err(why) => {
            work.give_up();
            return Err(why);
        }
    };
    match extracted.cut_short {
        None => extracted.follow_up = work.finish(job, worker.manifest()),
        Some(_) => work.give_up(),
    }
    worker.end();
    Ok(extracted)
}

/// The variables that the job asks for; those marked `cluster=True` among them only where there is no other place
/// to evaluate them.
fn selection(manifest: &Manifest, job: &Job, settings: &ExtractionSettings) -> Selection {
    let is_in_slurm = settings.surroundings.queue_id.is_some();
    let selection = Selection {
        data: job.data,
        cluster: (job.request.cluster || is_in_slurm).then_some(job.request.cluster),
        matches: job.request.matches.clone(),
        names: job.request.variables.clone(),
    };
    for name in selection.unknown(manifest) {
        warn!("the context file has no variable `{name}`");
    }
    selection
}

/// The Python that evaluates a database's context file.
fn setup(db: &Database, settings: &ExtractionSettings, enclosure: &Enclosure) -> Result<Setup> {
    let python = match db.setting("context_python")? {
        Some(SettingValue::Text(python)) if !python.is_empty() => python.into(),
        _ => settings.python.clone(),
    };
    let mut environment = settings.environment.clone();
    environment.extend(enclosure.environment.clone());
    Ok(Setup {
        python,
        database_dir: db.dir().to_path_buf(),
        memory: settings.memory,
        keep: settings.keep_python,
        environment,
        launcher: Launcher {
            words: enclosure.words.clone(),
            hidden: enclosure.hidden.clone(),
        },
    })
}

impl ExtractionSettings {
    /// The bounds of an evaluation that begins now.
    fn limits(&self) -> Limits {
        let mut limits = Limits::of(self.time_limit);
        limits.variable = self.variable_time_limit;
        limits.stop = self.stop.clone();
        limits
    }
}

/// Reads the context file of a database, brings its list of variables up to date, and tells the clients
/// what changed. Returns how many variables there are and how many changed.
///
/// # Errors
/// The file is wrong, or the database cannot be written.
pub fn read_context(
    db: &mut Database,
    settings: &ExtractionSettings,
    mut publisher: Publisher,
) -> Result<(usize, usize)> {
    let dir = db.dir().to_path_buf();
    let enclosure = sandbox::of_database(db, settings)?;
    let worker = Worker::start(setup(db, settings, &enclosure)?, &settings.limits())?;
    publisher.drain(&dir);
    let topic = db.update_topic();
    let mut changed = 0;
    update_variables(db, worker.manifest(), |update| {
        changed += 1;
        publisher.publish(&dir, &topic, update);
    })?;
    publisher.close(FAREWELL);
    Ok((worker.manifest().stored().count(), changed))
}

fn update_variables(
    db: &mut Database,
    manifest: &Manifest,
    mut tell: impl FnMut(&Update),
) -> Result<()> {
    let declared: Vec<DeclaredVariable> = manifest
        .stored()
        .map(|variable| DeclaredVariable {
            name: variable.name.clone(),
            title: variable.title.clone(),
            description: variable.description.clone(),
            tags: variable.tags.clone().unwrap_or_default(),
        })
        .collect();
    let changes = db.update_computed_variables(&declared)?;
    for (name, why) in &changes.refused {
        warn!("the context file's variable `{name}` is left out of the table: {why}");
    }
    for variable in changes.changed {
        let declared = manifest.variable(&variable.name);
        tell(&Update::VariableSet(VariableSet {
            tags: declared.and_then(|declared| declared.tags.clone()),
            name: variable.name,
            title: variable.title,
            description: variable.description,
            attributes: None,
            kind: None,
        }));
    }
    Ok(())
}
