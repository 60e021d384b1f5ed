//! A process that can be recognised later, even if its number has been given to another one since.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::host_name;

/// A process on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The host's name.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// When it started, in clock ticks since the host did (`/proc/PID/stat`, field 22; see proc(5)).
    pub started: i64,
}

impl Process {
    /// A process of this host, by its number; one that is gone already has the start time 0.
    pub fn here(pid: u32) -> Self {
        Self {
            host: host_name(),
            pid,
            started: started(pid).unwrap_or(0),
        }
    }

    /// The one that asks.
    pub fn this() -> Self {
        Self::here(std::process::id())
    }

    /// The processes of this host that do jobs, by the jobs' identities and attempts; their command lines tell. What they
    /// start looks the same for a moment, and is younger.
    pub fn at_jobs() -> BTreeMap<(String, u32), Self> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut found: Vec<_> = pids
            .filter_map(|pid| Some((job_of(pid)?, Self::here(pid))))
            .filter(|(_, process)| process.started > 0)
            .collect();
        // Of several for one job the last one stays.
        found.sort_by_key(|(_, process)| std::cmp::Reverse((process.started, process.pid)));
        found.into_iter().collect()
    }

    /// Whether it is on this host, so that something can be said about it.
    pub fn is_here(&self) -> bool {
        self.host == host_name()
    }

    /// Whether it does this attempt of a job, as far as its command line tells: who can write a ledger could name any
    /// process there. One that somebody started by hand does not say which job it does.
    pub fn does(&self, processing_id: &str, attempt: u32) -> bool {
        match job_of(self.pid) {
            Some((id, number)) => id == processing_id && number == attempt,
            None => arguments(self.pid).any(|argument| argument == b"extract"),
        }
    }

    /// Whether it is still the process that it was; only for one of this host.
    pub fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.host, self.pid, self.started)
    }
}

impl FromStr for Process {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or(());
        Ok(Self {
            host: next()?.to_owned(),
            pid: next()?.parse().map_err(drop)?,
            started: next()?.parse().map_err(drop)?,
        })
    }
}

/// The job that a process was given to do, if any.
fn job_of(pid: u32) -> Option<(String, u32)> {
    let after = |option: &[u8]| {
        let mut arguments = arguments(pid).skip_while(|argument| argument != option);
        String::from_utf8(arguments.nth(1)?).ok()
    };
    Some((
        after(b"--processing-id")?,
        after(b"--attempt")?.parse().ok()?,
    ))
}

fn arguments(pid: u32) -> impl Iterator<Item = Vec<u8>> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments: Vec<Vec<u8>> = line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    arguments.into_iter()
}

fn started(pid: u32) -> Option<i64> {
    let fields = fields(pid)?;
    let mut fields = fields.split_ascii_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    // The state was field 3.
    fields.nth(22 - 4)?.parse().ok()
}

/// Whether a process of this host is stopped, by a signal or by one that watches it.
pub(super) fn is_stopped(pid: u32) -> bool {
    fields(pid).is_some_and(|fields| fields.trim_start().starts_with(['T', 't']))
}

/// From the third on, the state, as in proc(5).
fn fields(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may have blanks and brackets of its own.
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recognised_until_it_ends() {
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        let process = Process::here(child.id());
        assert!(process.is_alive() && process.started > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.is_alive());
    }

    #[test]
    fn a_process_is_written_down_and_read_again() {
        let me = Process::this();
        assert_eq!(me.to_string().parse(), Ok(me));
        assert_eq!("host 12".parse::<Process>(), Err(()));
    }

    #[test]
    fn another_process_with_the_same_number_is_not_taken_for_it() {
        let me = Process::here(std::process::id());
        let before_me = Process {
            started: me.started - 1,
            ..me.clone()
        };
        assert!(me.is_alive() && !before_me.is_alive());
    }

    #[test]
    fn what_a_job_starts_is_not_taken_for_the_job() {
        let job = ["extract", "--processing-id", "one", "--attempt", "3"];
        // A shell within the shell, which has the same command line.
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", "exec 3<&0; (read line <&3) & echo; wait", "sh"])
            .args(job);
        command.stdin(std::process::Stdio::piped());
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0];
        let started = child.stdout.as_mut().unwrap();
        std::io::Read::read_exact(started, &mut line).unwrap();
        let found = Process::at_jobs().remove(&("one".into(), 3));
        assert_eq!(found, Some(Process::here(child.id())));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_does_another_job_or_none_is_not_taken_for_the_jobs() {
        let sleeping = |words: &[&str]| {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", "read line", "sh"]).args(words);
            let child = command.stdin(std::process::Stdio::piped()).spawn();
            let child = child.unwrap();
            // For a moment the system has started it, and does not tell its command line yet.
            while arguments(child.id()).all(|word| word.is_empty()) {
                std::thread::yield_now();
            }
            child
        };
        let cases: [(&[&str], bool); 4] = [
            (&["extract", "--processing-id", "a", "--attempt", "2"], true),
            (
                &["extract", "--processing-id", "b", "--attempt", "2"],
                false,
            ),
            (&["extract", "1234", "7"], true),
            (&["listen", "."], false),
        ];
        for (arguments, does) in cases {
            let mut child = sleeping(arguments);
            assert_eq!(
                Process::here(child.id()).does("a", 2),
                does,
                "{arguments:?}"
            );
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
