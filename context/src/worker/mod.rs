//! The users' Python at work: started once for a job, it reads the context file and evaluates variables.
//!
//! Its stdout and stderr are ours, so that whatever anybody prints goes to the run's log; results come
//! over a socket of their own (`docs/worker-protocol.md`), one by one, as soon as they are computed.

mod cause;
mod channel;
mod decode;
mod greeting;
mod leftovers;
mod limits;
mod message;
mod printed;
mod process;
mod rounds;
mod spawned;
mod submission;
mod turns;
mod warm;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use self::cause::{Broken, Cause};
use self::channel::{Channel, Frame, NoFrame, Patience};
use self::decode::Buffers;
pub use self::limits::{Limits, Stop};
use self::message::{Hello, Progress, Reading};
use self::process::Process;
pub use self::rounds::CutShort;
use self::submission::{Desk, Served};
pub use self::submission::{Submission, receive as receive_submission};
use self::turns::Turns;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::run::{RunData, RunId};
use crate::runtime::Runtime;
use crate::value::{Failure, Outcome};

/// The version of the messages. The runtime in `context/python` has the same number.
pub const PROTOCOL: u32 = 2;
/// A Python whose files lie on a busy network can take this long to start.
const GREETING: Duration = Duration::from_secs(180);
/// How long a worker that has nothing left to do, or that has closed its channel, may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Which Python is started, where, and what it may take.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The interpreter.
    pub python: PathBuf,
    /// The database's folder, with `context.py`.
    pub database_dir: PathBuf,
    /// Bytes that the data of each of its processes may take; None: no limit.
    pub memory: Option<u64>,
    /// How long a Python that has imported everything may wait for the next job here; None: none is kept.
    pub keep: Option<Duration>,
}

/// What is to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The run.
    pub run: RunId,
    /// The part of its data that the job is about.
    pub data: RunData,
    /// The job's variables, dependencies first, as [`crate::selection::Selection::names`] gives them.
    pub selected: Vec<String>,
    /// Those of `selected` that are evaluated now, in this order: at first all.
    pub names: Vec<String>,
    /// Those of `names` that are evaluated for the sake of others only: nothing is sent of them.
    pub again: Vec<String>,
    /// Variables that failed before, in another worker.
    pub lost: Vec<(String, Failure)>,
    /// Whether functions get a mock instead of the run.
    pub mock: bool,
    /// Values of `param#` arguments.
    pub params: Map<String, Value>,
    /// The site's own opener, `module:function`; None for `extra_data.open_run`.
    pub opener: Option<String>,
}

/// What happens during an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// When the run began, in seconds since 1970.
    StartTime(f64),
    /// This variable's function is about to be called.
    Started(String),
    /// This variable has a value, or failed.
    Outcome {
        /// The variable.
        name: String,
        /// What became of it.
        outcome: Outcome,
        /// How long it took.
        seconds: f64,
    },
    /// This variable has had its turn and leaves no cell: it returned None, is transient, lacks a
    /// parameter, or needs data that is not there.
    NoValue {
        /// The variable.
        name: String,
        /// Whether other variables have its object all the same: it is transient.
        held: bool,
        /// Why a transient variable failed.
        failure: Option<Failure>,
    },
}

/// How an evaluation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every variable has had its turn.
    Finished,
    /// Before that.
    Broken(Broken),
}

/// A Python that has read the context file. When it is dropped, all its processes end.
#[derive(Debug)]
pub struct Worker {
    // Fields are dropped in this order: first the channel, then the process, then the files it runs.
    channel: Channel,
    process: Process,
    setup: Setup,
    manifest: Manifest,
    vacancy: Option<warm::Place>,
    runtime: Runtime,
    desk: Desk,
}

impl Worker {
    /// Starts a Python in the database's folder, and lets it read `context.py` there.
    ///
    /// # Errors
    /// Everything that keeps it from that; it may take no longer than `limits` say.
    pub fn start(setup: Setup, limits: &Limits) -> Result<Self> {
        let path = setup.context_file();
        if !path.is_file() {
            return Err(Error::NoContextFile { path });
        }
        let runtime = Runtime::unpacked()?;
        let (channel, process, vacancy) = setup.spawn(&runtime)?;
        let mut worker = Self {
            channel,
            process,
            setup,
            manifest: Manifest::default(),
            vacancy,
            runtime,
            desk: Desk::default(),
        };
        worker.begin(limits)?;
        Ok(worker)
    }

    /// What the context file declares.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Lets `take` have what users' code hands in by itself while it evaluates: it returns the file that has the
    /// results then, or why there is none.
    pub fn on_submission(
        &mut self,
        take: impl FnMut(&mut Submission<'_>) -> std::result::Result<PathBuf, String> + Send + 'static,
    ) {
        self.desk = Desk::of(Box::new(take));
    }

    /// Puts a new Python in the place of one that has ended.
    fn restart(&mut self, limits: &Limits) -> Result<()> {
        (self.channel, self.process, self.vacancy) = self.setup.spawn(&self.runtime)?;
        self.begin(limits)
    }

    fn begin(&mut self, limits: &Limits) -> Result<()> {
        self.greet(limits)?;
        self.manifest = self.read_manifest(limits)?;
        Ok(())
    }

    /// Evaluates variables of one run; `on` hears of each step when it happens.
    ///
    /// After [`End::Broken`] there is no Python any more: later calls end the same way.
    ///
    /// # Errors
    /// [`Error::Unopened`].
    pub fn evaluate(
        &mut self,
        request: &Request,
        limits: &Limits,
        on: &mut dyn FnMut(Event),
    ) -> Result<End> {
        let mut turns = Turns::new(&request.names);
        if self.channel.send(&request.as_message()).is_err() {
            let how = self.process.end(FAREWELL);
            return Ok(End::Broken(turns.broken(Cause::Died(how))));
        }
        loop {
            let frame = match self.receive_progress(limits.next(turns.started()), &limits.stop) {
                Ok(frame) => frame,
                Err(why) => {
                    let cause = self.cause(why, limits);
                    return Ok(End::Broken(turns.broken(cause)));
                }
            };
            match self.read_progress(frame, request.run) {
                Ok(None) => return Ok(End::Finished),
                Ok(Some(event)) => {
                    turns.note(&event);
                    if let Event::Started(_) = &event {
                        self.process.begin_printing();
                    }
                    on(event);
                }
                Err(Error::Nonsense { what, .. }) => {
                    let cause = self.cause(NoFrame::Nonsense(what), limits);
                    return Ok(End::Broken(turns.broken(cause)));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Ends it. Where the setup wants that, and there is none yet, a Python stays behind that imports what this
    /// one has imported, and from which the next worker is forked.
    pub fn end(mut self) {
        let Some((place, patience)) = self.vacancy.take().zip(self.setup.keep) else {
            return;
        };
        let left = self.imported().and_then(|imported| {
            let script = self.runtime.script();
            warm::leave(&place, &self.setup, &script, &imported, patience)
        });
        if let Err(why) = left {
            tracing::debug!("no warm Python is left behind: {why}");
        }
    }

    /// What it has imported, in the words that `warm.py` reads.
    fn imported(&mut self) -> std::io::Result<Value> {
        self.channel.send(&json!({"message": "tell-imported"}))?;
        let until = Instant::now() + FAREWELL;
        match self.receive(Some(until), &Stop::default()) {
            Ok(frame) => Ok(frame.header),
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }

    /// Why nothing more comes; Python has ended then.
    fn cause(&mut self, why: NoFrame, limits: &Limits) -> Cause {
        if let NoFrame::Ended = why {
            let how = self.process.end(FAREWELL);
            // A signal to all processes of a job may reach Python first.
            return match limits.stop.is_raised() {
                true => Cause::Stopped,
                false => Cause::Died(how),
            };
        }
        // How it ends does not matter any more.
        let _ = self.process.kill();
        match why {
            NoFrame::Ended | NoFrame::Stopped => Cause::Stopped,
            NoFrame::TimedOut => limits.cause(),
            NoFrame::Nonsense(what) => Cause::Unreadable(what),
            NoFrame::Failed(source) => Cause::Unreadable(source.to_string()),
        }
    }

    /// The event that a frame reports; None at the end.
    fn read_progress(&self, frame: Frame, run: RunId) -> Result<Option<Event>> {
        let buffers = Buffers(frame.buffers);
        Ok(Some(match self.understand(frame.header)? {
            Progress::StartTime { seconds } => Event::StartTime(seconds),
            Progress::Start { name } => Event::Started(name),
            Progress::NoValue {
                name,
                held,
                failure,
            } => Event::NoValue {
                name,
                held,
                failure: failure.map(Failure::from),
            },
            Progress::Result {
                name,
                seconds,
                cell,
            } => {
                let cell = buffers.cell(*cell);
                let cell = cell.map_err(|what| self.nonsense(format!("{name}: {what}")))?;
                had_turn(name, seconds, Outcome::Cell(Box::new(cell)))
            }
            Progress::Failed {
                name,
                seconds,
                class,
                text: message,
            } => had_turn(name, seconds, Outcome::Failed(Failure { class, message })),
            Progress::Unopened { class, text } => {
                return Err(Error::Unopened {
                    run,
                    class,
                    message: text,
                });
            }
            Progress::Finished => return Ok(None),
        }))
    }

    /// Hears the greeting, and refuses a Python that cannot do the work.
    fn greet(&mut self, limits: &Limits) -> Result<()> {
        let limit = Instant::now() + GREETING;
        let limit = limits.deadline().map_or(limit, |all| all.min(limit));
        let hello: Hello = match self.receive(Some(limit), &limits.stop) {
            Ok(frame) => self.understand(frame.header)?,
            Err(NoFrame::Ended) => {
                let how = self.process.end(FAREWELL);
                return Err(self.no_greeting(how));
            }
            Err(NoFrame::TimedOut) => return Err(self.no_greeting("no answer in time".into())),
            Err(other) => return Err(self.broken(other)),
        };
        greeting::check(&self.setup.python, hello)
    }

    fn read_manifest(&mut self, limits: &Limits) -> Result<Manifest> {
        let path = self.setup.context_file();
        let frame = match self.receive(limits.deadline(), &limits.stop) {
            Ok(frame) => frame,
            Err(NoFrame::Ended) => {
                let how = self.process.end(FAREWELL);
                return Err(Error::ContextDied { path, how });
            }
            Err(NoFrame::TimedOut) => return Err(Error::ContextTimedOut { path }),
            Err(other) => return Err(self.broken(other)),
        };
        match self.understand(frame.header)? {
            Reading::Manifest(manifest) => match manifest.contradiction() {
                Some(what) => Err(self.nonsense(what)),
                None => Ok(manifest),
            },
            Reading::Invalid {
                problems,
                traceback,
            } => Err(Error::ContextFile {
                path,
                problems,
                traceback,
            }),
        }
    }

    /// The next frame that is about the evaluation; submissions are served meanwhile.
    fn receive_progress(
        &mut self,
        deadline: Option<Instant>,
        stop: &Stop,
    ) -> std::result::Result<Frame, NoFrame> {
        loop {
            let frame = self.receive(deadline, stop)?;
            let mut desk = std::mem::take(&mut self.desk);
            let served = desk.serve(frame, &mut || self.receive(deadline, stop));
            self.desk = desk;
            match served? {
                Served::Other(frame) => return Ok(frame),
                Served::Answer(answer) => {
                    self.channel.send(&answer).map_err(|_| NoFrame::Ended)?;
                }
            }
        }
    }

    fn receive(
        &mut self,
        deadline: Option<Instant>,
        stop: &Stop,
    ) -> std::result::Result<Frame, NoFrame> {
        let process = &mut self.process;
        let patience = Patience { deadline, stop };
        self.channel.receive(&patience, &mut || process.is_alive())
    }

    fn understand<T: DeserializeOwned>(&self, header: Value) -> Result<T> {
        T::deserialize(header).map_err(|why| self.nonsense(why.to_string()))
    }

    fn no_greeting(&self, how: String) -> Error {
        Error::NoGreeting {
            python: self.setup.python.clone(),
            how,
        }
    }

    fn nonsense(&self, what: String) -> Error {
        Error::Nonsense {
            python: self.setup.python.clone(),
            what,
        }
    }

    fn broken(&self, why: NoFrame) -> Error {
        match why {
            NoFrame::Nonsense(what) => self.nonsense(what),
            NoFrame::Failed(source) => self.setup.channel_error(source),
            NoFrame::Stopped => Error::Stopped,
            NoFrame::Ended => self.nonsense("it ended".into()),
            NoFrame::TimedOut => self.nonsense("it was silent".into()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // What the users' code registered for the end of the process gets its chance.
        if self.channel.send(&json!({"message": "stop"})).is_ok() {
            self.process.end(FAREWELL);
        }
    }
}

impl Setup {
    fn context_file(&self) -> PathBuf {
        self.database_dir.join("context.py")
    }

    fn spawn(&self, runtime: &Runtime) -> Result<(Channel, Process, Option<warm::Place>)> {
        let started = Process::start(self, &runtime.script());
        let started = started.map_err(|source| Error::NoPython {
            python: self.python.clone(),
            source,
        })?;
        let channel = Channel::new(started.stream).map_err(|source| self.channel_error(source))?;
        Ok((channel, started.process, started.vacancy))
    }

    fn channel_error(&self, source: std::io::Error) -> Error {
        Error::Channel {
            python: self.python.clone(),
            source,
        }
    }
}

impl Event {
    /// The variable that it is about.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::StartTime(_) => None,
            Self::Started(name) | Self::Outcome { name, .. } | Self::NoValue { name, .. } => {
                Some(name)
            }
        }
    }
}

impl Request {
    fn as_message(&self) -> Value {
        let lost = self.lost.iter().map(|(name, failure)| {
            json!({"name": name, "class": failure.class, "text": failure.message})
        });
        json!({
            "message": "evaluate",
            "proposal": self.run.proposal,
            "run": self.run.number,
            "run_data": self.data,
            "selected": self.selected,
            "names": self.names,
            "again": self.again,
            "lost": lost.collect::<Vec<_>>(),
            "mock": self.mock,
            "params": self.params,
            "opener": self.opener,
        })
    }
}

fn had_turn(name: String, seconds: f64, outcome: Outcome) -> Event {
    Event::Outcome {
        name,
        outcome,
        seconds,
    }
}
