//! The users' Python at work: started once for a job, it reads the context file and evaluates variables.
//!
//! Its stdout and stderr are ours, so that whatever anybody prints goes to the run's log; results come
//! over a socket of their own (`docs/worker-protocol.md`), one by one, as soon as they are computed.

mod channel;
mod decode;
mod greeting;
mod message;
mod process;
mod turns;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use self::channel::{Channel, Frame, NoFrame};
use self::decode::Buffers;
use self::message::{Hello, Progress, Reading};
use self::process::Process;
use self::turns::Turns;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::run::{RunData, RunId};
use crate::runtime::Runtime;
use crate::value::{Failure, Outcome};

/// The version of the messages. The runtime in `context/python` has the same number.
pub const PROTOCOL: u32 = 1;
/// A Python whose files lie on a busy network can take this long to start.
const GREETING: Duration = Duration::from_secs(180);
/// How long a worker that has nothing left to do, or that has closed its channel, may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The run.
    pub run: RunId,
    /// The part of its data that the job is about.
    pub data: RunData,
    /// The variables, dependencies first, as [`crate::selection::Selection::names`] gives them.
    pub names: Vec<String>,
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
    NoValue(String),
}

/// How an evaluation ended. `unfinished` are the selected variables that had no turn and are not
/// transient, `running` the one (transient or not) in whose turn it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every variable has had its turn.
    Finished,
    /// Python ended by itself, or was killed by somebody.
    Died {
        /// The variable in whose turn it died.
        running: Option<String>,
        /// `exit status 3`, or `signal 11 (SIGSEGV)`.
        how: String,
        /// What had no turn.
        unfinished: Vec<String>,
    },
    /// The deadline passed, and Python was killed.
    TimedOut {
        /// The variable in whose turn it was.
        running: Option<String>,
        /// What had no turn.
        unfinished: Vec<String>,
    },
}

/// A Python that has read the context file. When it is dropped, all its processes end.
#[derive(Debug)]
pub struct Worker {
    // Fields are dropped in this order: first the channel, then the process, then the files it runs.
    channel: Channel,
    process: Process,
    python: PathBuf,
    manifest: Manifest,
    _runtime: Runtime,
}

impl Worker {
    /// Starts `python` in the database's folder, and lets it read `context.py` there.
    pub fn start(python: &Path, database_dir: &Path, deadline: Option<Instant>) -> Result<Self> {
        let path = database_dir.join("context.py");
        if !path.is_file() {
            return Err(Error::NoContextFile { path });
        }
        let runtime = Runtime::unpacked()?;
        let (process, stream) =
            Process::start(python, &runtime.script(), database_dir).map_err(|source| {
                Error::NoPython {
                    python: python.into(),
                    source,
                }
            })?;
        let channel = Channel::new(stream).map_err(|source| channel_error(python, source))?;
        let mut worker = Self {
            channel,
            process,
            python: python.into(),
            manifest: Manifest::default(),
            _runtime: runtime,
        };
        worker.greet(deadline)?;
        worker.manifest = worker.read_manifest(&path, deadline)?;
        Ok(worker)
    }

    /// What the context file declares.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Evaluates variables of one run; `on` hears of each step when it happens.
    ///
    /// After [`End::Died`] and [`End::TimedOut`] there is no Python any more: later calls end the same way.
    pub fn evaluate(
        &mut self,
        request: &Request,
        deadline: Option<Instant>,
        on: &mut dyn FnMut(Event),
    ) -> Result<End> {
        let mut turns = Turns::new(request, &self.manifest);
        if self.channel.send(&request.as_message()).is_err() {
            return Ok(self.died(turns));
        }
        loop {
            let frame = match self.receive(deadline) {
                Ok(frame) => frame,
                Err(NoFrame::Ended) => return Ok(self.died(turns)),
                Err(NoFrame::TimedOut) => return Ok(self.timed_out(turns)),
                Err(other) => return Err(self.broken(other)),
            };
            match self.read_progress(frame, request.run)? {
                None => return Ok(End::Finished),
                Some(event) => {
                    turns.note(&event);
                    on(event);
                }
            }
        }
    }

    /// The event that a frame reports; None at the end.
    fn read_progress(&self, frame: Frame, run: RunId) -> Result<Option<Event>> {
        let buffers = Buffers(frame.buffers);
        Ok(Some(match self.understand(frame.header)? {
            Progress::StartTime { seconds } => Event::StartTime(seconds),
            Progress::Start { name } => Event::Started(name),
            Progress::NoValue { name } => Event::NoValue(name),
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
    fn greet(&mut self, deadline: Option<Instant>) -> Result<()> {
        let limit = Instant::now() + GREETING;
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        let hello: Hello = match self.receive(Some(limit)) {
            Ok(frame) => self.understand(frame.header)?,
            Err(NoFrame::Ended) => {
                let how = self.process.end(FAREWELL);
                return Err(self.no_greeting(how));
            }
            Err(NoFrame::TimedOut) => return Err(self.no_greeting("no answer in time".into())),
            Err(other) => return Err(self.broken(other)),
        };
        greeting::check(&self.python, hello)
    }

    fn read_manifest(&mut self, path: &Path, deadline: Option<Instant>) -> Result<Manifest> {
        let path = path.to_path_buf();
        let frame = match self.receive(deadline) {
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

    fn receive(&mut self, deadline: Option<Instant>) -> std::result::Result<Frame, NoFrame> {
        let process = &self.process;
        self.channel.receive(deadline, &mut || process.is_alive())
    }

    fn understand<T: DeserializeOwned>(&self, header: Value) -> Result<T> {
        T::deserialize(header).map_err(|why| self.nonsense(why.to_string()))
    }

    fn died(&mut self, turns: Turns) -> End {
        End::Died {
            how: self.process.end(FAREWELL),
            running: turns.running,
            unfinished: turns.waiting,
        }
    }

    fn timed_out(&mut self, turns: Turns) -> End {
        // How it ends does not matter any more.
        let _ = self.process.kill();
        End::TimedOut {
            running: turns.running,
            unfinished: turns.waiting,
        }
    }

    fn no_greeting(&self, how: String) -> Error {
        Error::NoGreeting {
            python: self.python.clone(),
            how,
        }
    }

    fn nonsense(&self, what: String) -> Error {
        Error::Nonsense {
            python: self.python.clone(),
            what,
        }
    }

    fn broken(&self, why: NoFrame) -> Error {
        match why {
            NoFrame::Nonsense(what) => self.nonsense(what),
            NoFrame::Failed(source) => channel_error(&self.python, source),
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

impl Request {
    fn as_message(&self) -> Value {
        json!({
            "message": "evaluate",
            "proposal": self.run.proposal,
            "run": self.run.number,
            "run_data": self.data,
            "names": self.names,
            "mock": self.mock,
            "params": self.params,
            "opener": self.opener,
        })
    }
}

fn channel_error(python: &Path, source: std::io::Error) -> Error {
    Error::Channel {
        python: python.into(),
        source,
    }
}

fn had_turn(name: String, seconds: f64, outcome: Outcome) -> Event {
    Event::Outcome {
        name,
        outcome,
        seconds,
    }
}
