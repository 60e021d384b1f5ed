//! The listener of a site under supervisord, as an operator runs it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::process::Finished;
use crate::{Site, eventually, python};

/// supervisord, and so the listener, is shut down when this is dropped or the test's process ends.
pub struct Supervised<'a> {
    site: &'a Site,
    /// Waits for the end of the test's process.
    watchdog: Child,
}

/// PATH with the test environment's supervisord and supervisorctl.
fn path() -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let bin = python().parent().expect("a folder").to_path_buf();
    let all = std::env::split_paths(&own).chain([bin]);
    std::env::join_paths(all).expect("folders without colons")
}

impl<'a> Supervised<'a> {
    /// Not started yet.
    ///
    /// # Panics
    /// There is no shell.
    pub fn of(site: &'a Site) -> Self {
        let conf = site.listener().join("supervisord.conf");
        let watchdog = Command::new("sh")
            .args(["-c", "read _; supervisorctl -c \"$0\" shutdown"])
            .arg(conf)
            .env("PATH", path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self {
            site,
            watchdog: watchdog.expect("a shell"),
        }
    }

    /// `listen --daemonize`.
    pub fn daemonize(&self) -> Finished {
        self.daemonize_with(&[])
    }

    /// `listen --daemonize` with more options.
    pub fn daemonize_with(&self, options: &[&str]) -> Finished {
        let arguments = ["listen", "--daemonize", "."];
        let mut command = self.site.command(&self.site.listener(), &arguments);
        Finished::of(command.args(options).env("PATH", path()))
    }

    /// `supervisorctl` with the configuration in the listener's folder.
    pub fn control(&self, arguments: &[&str]) -> Finished {
        let mut command = Command::new(python().with_file_name("supervisorctl"));
        Finished::of(command.arg("-c").arg(self.conf()).args(arguments))
    }

    /// Its configuration.
    pub fn conf(&self) -> PathBuf {
        self.site.listener().join("supervisord.conf")
    }

    /// The process of the listener, as supervisord tells it; None while there is none.
    pub fn listener_pid(&self) -> Option<i32> {
        let said = self.control(&["pid", "damnit"]).stdout;
        said.trim().parse().ok().filter(|pid| *pid > 0)
    }

    /// The process of supervisord; None while there is none.
    pub fn pid(&self) -> Option<i32> {
        self.control(&["pid"]).stdout.trim().parse().ok()
    }

    /// What the listener has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.site.listener().join("damnit.log")).unwrap_or_default()
    }
}

impl Drop for Supervised<'_> {
    fn drop(&mut self) {
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let Some(pid) = self.pid() else { return };
        self.control(&["shutdown"]);
        let ended = || !PathBuf::from(format!("/proc/{pid}/exe")).exists();
        if !std::thread::panicking() {
            eventually("supervisord ends", || self.log(), ended);
        }
    }
}
