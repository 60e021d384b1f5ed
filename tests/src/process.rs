//! The programs under test, run as users run them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::python;
use crate::vitals::Vitals;

/// The binary under test: `RUNLEDGER_TEST_BINARY`, or the one that lies beside the tests' own folder.
///
/// # Panics
/// There is none.
pub fn runledger() -> PathBuf {
    if let Some(named) = std::env::var_os("RUNLEDGER_TEST_BINARY") {
        return named.into();
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let binary = test
        .ancestors()
        .nth(2)
        .expect("tests are in target/PROFILE/deps")
        .join("runledger");
    assert!(
        binary.is_file(),
        "{} is missing: run `cargo build` first",
        binary.display()
    );
    binary
}

/// The same command, in a shell that has set limits before, as `ulimit` does.
///
/// # Panics
/// It has no folder.
pub fn limited(inner: &Command, limits: &str) -> Command {
    let script = format!("{limits}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(inner.get_program());
    command.args(inner.get_args());
    command.current_dir(inner.get_current_dir().expect("a folder"));
    let set = inner.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    command
}

/// The same command, which finds itself on a terminal; what that shows is on stdout.
///
/// # Panics
/// It has no folder.
pub fn on_a_terminal(inner: &Command) -> Command {
    let mut command = Command::new(python());
    command.args([
        "-c",
        "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)",
    ]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.current_dir(inner.get_current_dir().expect("a folder"));
    let set = inner.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    command.env("TERM", "xterm");
    command
}

/// What a program left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; None when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said on stderr.
    pub stderr: String,
}

impl Finished {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// The program cannot be started.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output();
        Self::from(output.unwrap_or_else(|e| panic!("{command:?} did not start: {e}")))
    }

    /// Itself, if the program succeeded.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Itself, if the program failed with `code`, in few words and without a backtrace.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is not in:\n{}",
                self.stderr
            );
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A program that runs until it is told to stop.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts `command` with its output in `log`.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log);
        let file = file.expect("the service's log can be written");
        let again = file.try_clone().expect("the log can be opened twice");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again)
            .spawn();
        Self {
            child: child.unwrap_or_else(|e| panic!("{command:?} did not start: {e}")),
            log: log.to_path_buf(),
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has not ended by itself.
    ///
    /// # Panics
    /// It cannot be looked at.
    pub fn is_running(&mut self) -> bool {
        let ended = self.child.try_wait();
        ended.expect("our own child can be waited for").is_none()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How much memory it has, in MB, as `ps` tells it.
    ///
    /// # Panics
    /// It has ended.
    pub fn resident_memory(&self) -> u64 {
        self.vitals().memory
    }

    /// What it has of the machine.
    ///
    /// # Panics
    /// It has ended.
    pub fn vitals(&self) -> Vitals {
        Vitals::of(self.child.id()).expect("a running process")
    }

    /// What it, and the processes that it has started, have of the machine.
    ///
    /// # Panics
    /// It has ended.
    pub fn vitals_with_workers(&self) -> Vitals {
        Vitals::of_all(self.child.id()).expect("a running process")
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// It has ended already.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("our own child can be signalled");
    }

    /// Asks it to end, and gives its exit code.
    ///
    /// # Panics
    /// It does not end within half a minute.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Waits for its end, and gives its exit code.
    ///
    /// # Panics
    /// It does not end within half a minute.
    pub fn end(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("our own child can be waited for")
            {
                return status.code();
            }
            assert!(Instant::now() < until, "it did not stop:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command with arguments.
pub(crate) fn command<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
