//! Attempts to get out of a sandbox: each is made from inside, on things that were laid out for it.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// A connection on this machine takes no time.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is attempted, in the order of [`Bait::try_all`].
pub const ATTEMPTS: [(&str, &str); 8] = [
    ("read", "read a file that is not the job's"),
    ("write", "write a file outside"),
    ("network", "connect over the network"),
    ("socket", "connect to a program by its socket file"),
    ("abstract", "connect to a program by its abstract socket"),
    ("signal", "send a signal to another process of the account"),
    ("look", "read another process's environment"),
    ("namespace", "make namespaces of its own"),
];

/// What attempts are made on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bait {
    file: PathBuf,
    new_file: PathBuf,
    address: SocketAddr,
    socket: PathBuf,
    name: String,
    process: i32,
}

/// What is laid out, for as long as this value is there.
pub(crate) struct Laid {
    pub(crate) bait: Bait,
    _folder: TempDir,
    _listening: (TcpListener, UnixListener, UnixListener),
}

impl Laid {
    pub(crate) fn out() -> io::Result<Self> {
        let folder = TempDir::with_prefix("runledger-bait-")?;
        let file = folder.path().join("file");
        std::fs::write(&file, "not the job's")?;
        let socket = folder.path().join("socket");
        let name = folder.path().display().to_string();
        let tcp = TcpListener::bind(("127.0.0.1", 0))?;
        let bait = Bait {
            new_file: folder.path().join("new"),
            address: tcp.local_addr()?,
            process: i32::try_from(std::process::id()).map_err(io::Error::other)?,
            socket: socket.clone(),
            name: name.clone(),
            file,
        };
        let by_name = UnixListener::bind_addr(&UnixAddr::from_abstract_name(name)?)?;
        Ok(Self {
            bait,
            _listening: (tcp, UnixListener::bind(socket)?, by_name),
            _folder: folder,
        })
    }
}

impl Bait {
    /// Which attempts succeed.
    pub(crate) fn try_all(&self) -> BTreeMap<String, bool> {
        let abstract_socket =
            || UnixStream::connect_addr(&UnixAddr::from_abstract_name(&self.name)?);
        let done = [
            std::fs::read(&self.file).is_ok(),
            std::fs::write(&self.new_file, "").is_ok(),
            TcpStream::connect_timeout(&self.address, PATIENCE).is_ok(),
            UnixStream::connect(&self.socket).is_ok(),
            abstract_socket().is_ok(),
            kill(Pid::from_raw(self.process), None).is_ok(),
            std::fs::read(format!("/proc/{}/environ", self.process)).is_ok(),
            unshare(CloneFlags::CLONE_NEWUSER).is_ok(),
        ];
        let names = ATTEMPTS.into_iter().map(|(name, _)| name.to_owned());
        names.zip(done).collect()
    }
}
