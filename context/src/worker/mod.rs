//! The users' Python at work: started once for a job, it reads the context file and evaluates variables.
//!
//! Its stdout and stderr are ours, so that whatever anybody prints goes to the run's log; results come
//! over a socket of their own (`docs/worker-protocol.md`), one by one, as soon as they are computed.

mod cause;
mod channel;
mod decode;
mod evaluating;
mod event;
mod greeting;
mod launcher;
mod leftovers;
mod limits;
mod message;
mod printed;
mod process;
mod reading;
mod recording;
mod request;
mod rounds;
mod spawned;
mod submission;
mod turns;
mod warm;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use self::cause::{Broken, Cause};
use self::channel::{Channel, Frame, NoFrame, Patience};
pub use self::event::{End, Event};
pub use self::launcher::Launcher;
pub use self::limits::{Limits, Stop};
use self::process::Process;
pub use self::recording::understand_all;
pub use self::request::{Handed, Request};
pub use self::rounds::CutShort;
use self::submission::{Desk, Served};
pub use self::submission::{Submission, receive as receive_submission};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::runtime::Runtime;
use crate::text_file;

/// The version of the messages. The runtime in `context/python` has the same number.
pub const PROTOCOL: u32 = 3;
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
    /// Its environment has these beside what this process has.
    pub environment: BTreeMap<String, String>,
    /// What starts it; none is kept, then.
    pub launcher: Launcher,
}

/// A Python that has read the context file. When it is dropped, all its processes end.
#[derive(Debug)]
pub struct Worker {
    // Fields are dropped in this order: first the channel, then the process, then the files it runs.
    channel: Channel,
    process: Process,
    /// As the worker's own messages call it.
    pid: Pid,
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
        setup.look_at_context_file()?;
        let runtime = Runtime::unpacked()?;
        let (channel, process, vacancy) = setup.spawn(&runtime)?;
        let mut worker = Self {
            channel,
            process,
            pid: Pid::from_raw(0),
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
        self.pid = self.greet(limits)?;
        self.manifest = self.read_manifest(limits)?;
        Ok(())
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

    fn no_greeting(&self, mut how: String) -> Error {
        if let Some(memory) = self.setup.memory {
            let mib = memory >> 20;
            how += &format!(" (the memory limit of this job is {mib} MiB: perhaps it needs more)");
        }
        if let Some(launcher) = self.setup.launcher.program() {
            let launcher = launcher.display();
            how += &format!(
                " (its sandbox was set up by {launcher}: the run's log has what that said)"
            );
        }
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
            NoFrame::NoRoom(folder, source) => Error::NoRoom { folder, source },
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
    /// Python would wait for a pipe, and read a device for ever.
    fn look_at_context_file(&self) -> Result<()> {
        let path = self.context_file();
        match text_file::open(&path) {
            Ok(_) => Ok(()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Err(Error::NoContextFile { path }),
            Err(why) => Err(Error::UnreadableContextFile {
                path,
                reason: why.to_string(),
            }),
        }
    }

    fn context_file(&self) -> PathBuf {
        self.database_dir.join("context.py")
    }

    fn spawn(&self, runtime: &Runtime) -> Result<(Channel, Process, Option<warm::Place>)> {
        let started = Process::start(self, &runtime.script());
        let started = started.map_err(|source| self.not_started(source))?;
        let channel = Channel::new(started.stream, &self.database_dir)
            .map_err(|source| self.channel_error(source))?;
        Ok((channel, started.process, started.vacancy))
    }

    fn not_started(&self, source: std::io::Error) -> Error {
        let python = self.python.clone();
        match self.launcher.program() {
            None => Error::NoPython { python, source },
            Some(launcher) => Error::NoLauncher {
                launcher: launcher.into(),
                python,
                source,
            },
        }
    }

    fn channel_error(&self, source: std::io::Error) -> Error {
        Error::Channel {
            python: self.python.clone(),
            source,
        }
    }
}
