//! Where a warm Python is found, and how it is asked for a worker.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, IoSlice, PipeWriter, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, sockopt::PeerCredentials};
use nix::unistd::Uid;
use serde::Deserialize;
use serde_json::json;

use super::Forked;
use crate::runtime;
use crate::worker::Setup;

/// Variables that differ from shell to shell and from job to job, and that no import looks at.
const PASSING: [&str; 5] = ["_", "OLDPWD", "SHLVL", "RUNLEDGER_WORKER", "INVOCATION_ID"];
/// A warm Python answers at once, or something is wrong with it.
const PATIENCE: Duration = Duration::from_secs(3);

/// The socket of one database, interpreter and environment, in a folder that only this user can enter.
#[derive(Debug)]
pub(in crate::worker) struct Place {
    folder: PathBuf,
    name: String,
    environment: BTreeMap<String, String>,
}

/// What came of asking for a worker.
#[derive(Debug)]
pub(in crate::worker) enum Answer {
    /// Here it is.
    Forked(Forked),
    /// There is a Python, and it is not fit for this.
    Refused,
    /// There is none any more, or none yet.
    Nobody,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Forked,
    Unfit(String),
    Stale(String),
}

impl Place {
    /// The place of this setup; None where no Python is to be kept.
    pub(in crate::worker) fn of(setup: &Setup, script: &Path) -> Option<Self> {
        setup.keep?;
        // One in a sandbox is for one job.
        setup.launcher.program().is_none().then_some(())?;
        let cache = runtime::cache().ok()?;
        // A runtime outside of it is gone after the job.
        script.starts_with(&cache).then_some(())?;
        let environment = environment(setup)?;
        let mut hasher = DefaultHasher::new();
        let host = nix::unistd::gethostname().ok()?;
        (host, &setup.python, &setup.database_dir, script).hash(&mut hasher);
        let lasting = environment.iter();
        let lasting = lasting.filter(|(name, _)| !PASSING.contains(&name.as_str()));
        lasting.for_each(|entry| entry.hash(&mut hasher));
        let folder = cache.join("warm");
        runtime::private_folder(&folder).ok()?;
        Some(Self {
            folder,
            name: format!("{:016x}", hasher.finish()),
            environment,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the Python that waits here has to say to people.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Asks for a worker that speaks on `channel` and prints into `log`.
    pub(in crate::worker) fn ask(
        &self,
        setup: &Setup,
        channel: &UnixStream,
        log: &PipeWriter,
    ) -> Answer {
        self.try_ask(setup, [channel.as_raw_fd(), log.as_raw_fd()])
            .unwrap_or_else(|why| {
                tracing::debug!("no warm Python: {why}");
                Answer::Nobody
            })
    }

    fn try_ask(&self, setup: &Setup, descriptors: [RawFd; 2]) -> io::Result<Answer> {
        let mut control = self.connect()?;
        control.set_read_timeout(Some(PATIENCE))?;
        control.set_write_timeout(Some(PATIENCE))?;
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let nothing = [IoSlice::new(b"\0")];
        let (fd, flags) = (control.as_raw_fd(), MsgFlags::MSG_NOSIGNAL);
        sendmsg::<()>(fd, &nothing, &rights, flags, None)?;
        let request = json!({"environment": self.environment, "memory": setup.memory.unwrap_or(0)});
        // In one piece: the socket has no buffer on this side.
        control.write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        // Nothing follows the reply until the worker has ended, so that a buffer reads no further.
        BufReader::new(&control).read_line(&mut line)?;
        Ok(match serde_json::from_str(&line)? {
            Reply::Forked => Answer::Forked(Forked::new(control)?),
            Reply::Unfit(why) => {
                tracing::info!("no warm Python can serve this job: {why}");
                Answer::Refused
            }
            Reply::Stale(why) => {
                tracing::debug!("the warm Python is of no use any more: {why}");
                Answer::Nobody
            }
        })
    }

    fn connect(&self) -> io::Result<UnixStream> {
        // The path of a socket has to be short, and that of a folder may be long.
        let folder = File::open(&self.folder)?;
        let short = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), self.name);
        let control = UnixStream::connect(short)?;
        let peer = getsockopt(&control, PeerCredentials)?;
        if peer.uid() != Uid::effective().as_raw() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(control)
    }
}

/// The environment of a worker; None if there is something in it that is no text.
fn environment(setup: &Setup) -> Option<BTreeMap<String, String>> {
    let texts = std::env::vars_os()
        .map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut all: BTreeMap<String, String> = texts.collect::<Option<_>>()?;
    all.extend(setup.environment.clone());
    Some(all)
}
