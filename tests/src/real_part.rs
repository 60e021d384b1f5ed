//! A real component that a script of `deploy/` runs in a folder of its own, for as long as a test wants it.

use std::io::{BufRead, BufReader, PipeReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::process::Finished;
use crate::wire::{self, Wire};

/// What runs until this value is dropped or the test's process ends, however it ends: the script stops it and removes
/// its folder when the pipe from here closes.
pub(crate) struct RealPart {
    script: PathBuf,
    dir: PathBuf,
    child: Child,
    /// Open as long as the part is wanted.
    wanted: Option<ChildStdin>,
    output: BufReader<PipeReader>,
}

/// A script in `deploy/`.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name)
}

/// Whether what the script starts is installed; if not, as [`needs`].
pub(crate) fn is_installed(name: &str) -> bool {
    let check = Finished::of(Command::new(script(name)).arg("check"));
    check.code == Some(0) || missing(check.stderr.trim())
}

/// Whether a program is installed. If not, the running test is written down as skipped, so that `./x test` names it at
/// its end.
///
/// # Panics
/// It is not, on a machine of continuous integration (`CI=true`).
pub fn needs(program: &str, debian_package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    found
        || missing(&format!(
            "there is no {program} (Debian's package {debian_package})"
        ))
}

/// Whether the test may act as other users. If not, as [`needs`].
pub fn needs_root() -> bool {
    nix::unistd::geteuid().is_root() || missing("only root can act as another user")
}

/// It may not be where `CI=true`.
pub(crate) fn missing(why: &str) -> bool {
    let may = std::env::var("CI").as_deref() != Ok("true");
    assert!(may, "nothing may be missing here: {why}");
    skip(why);
    false
}

/// The harness gives a test's thread the test's name.
fn skip(why: &str) {
    let test = std::thread::current();
    let line = format!("{}: {why}\n", test.name().unwrap_or("a test"));
    eprint!("skipped {line}");
    if let Some(list) = std::env::var_os("RUNLEDGER_SKIPPED_TESTS") {
        let mut list = std::fs::File::options()
            .create(true)
            .append(true)
            .open(list)
            .expect("the list of skipped tests can be written");
        list.write_all(line.as_bytes())
            .expect("a line in the list of skipped tests");
    }
}

impl RealPart {
    /// Starts it in a new folder.
    ///
    /// # Panics
    /// It does not start.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut part = Self::begin(Command::new(script(name)), name, arguments);
        part.await_line("ready\n");
        part
    }

    /// Starts it in a network of its own, at the other end of a wire.
    ///
    /// # Panics
    /// It does not start.
    pub(crate) fn start_apart(name: &str, arguments: &[&str]) -> (Self, Wire) {
        let mut command = wire::with_path(Command::new("unshare"));
        let address = format!("{}/30", Wire::far_address());
        command.args(["--net", "--", "sh", "-c", wire::INSIDE, &address]);
        command.arg(script(name));
        let mut part = Self::begin(command, name, arguments);
        part.await_line("apart\n");
        let wire = Wire::to(part.child.id());
        let go_on = part.wanted.as_mut().map(|wanted| wanted.write_all(b"\n"));
        go_on.expect("it is wanted").expect("it listens");
        part.await_line("ready\n");
        (part, wire)
    }

    /// In a new folder, by a command that becomes its script.
    fn begin(mut command: Command, name: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("rl-").tempdir();
        let dir = folder.expect("a temporary folder").keep();
        let (output, said) = std::io::pipe().expect("a pipe");
        let mut child = command
            .arg("run")
            .arg(&dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(said.try_clone().expect("a pipe has two ends"))
            .stderr(said)
            // Whoever kills the test with all its group leaves this one to clean up.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} did not start: {e}"));
        Self {
            script: script(name),
            dir,
            wanted: child.stdin.take(),
            child,
            output: BufReader::new(output),
        }
    }

    fn await_line(&mut self, line: &str) {
        let mut said = String::new();
        while !said.ends_with(line) {
            let read = self.output.read_line(&mut said).expect("its output");
            assert!(read > 0, "{} did not start:\n{said}", self.script.display());
        }
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Another command of its script, on its folder.
    ///
    /// # Panics
    /// It fails.
    pub(crate) fn do_now(&self, what: &[&str]) -> Finished {
        let mut command = Command::new(&self.script);
        Finished::of(command.arg(what[0]).arg(&self.dir).args(&what[1..])).succeeded()
    }
}

impl Drop for RealPart {
    fn drop(&mut self) {
        drop(self.wanted.take());
        let _ = self.child.wait();
    }
}
