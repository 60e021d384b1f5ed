//! Slurm's commands as child processes: what they print is kept, and none takes longer than it may.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// More than this is not read of what a command prints.
const MOST: u64 = 256 << 20;

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its exit code; None: it was ended by a signal.
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) output: String,
    /// What it complained of.
    pub(super) complaint: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Silence {
    /// It did not start.
    #[error("{program} does not start: {why}")]
    NotStarted { program: String, why: String },
    /// It took too long, and was ended.
    #[error("{program} took longer than {} s, and was ended", limit.as_secs())]
    TooLong { program: String, limit: Duration },
}

/// A command of Slurm's, in words that don't depend on the user's language, with times in seconds since 1970.
pub(super) fn slurm(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").env("SLURM_TIME_FORMAT", "%s");
    command
}

/// Runs a command to its end.
pub(super) fn ask(mut command: Command, limit: Duration) -> Result<Answer, Silence> {
    let program = command.get_program().to_string_lossy().into_owned();
    let until = Instant::now() + limit;
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|why| Silence::NotStarted {
        program: program.clone(),
        why: why.to_string(),
    })?;
    let texts = (read(child.stdout.take()), read(child.stderr.take()));
    match hear(&mut child, &texts, until) {
        Some(answer) => Ok(answer),
        None => {
            // It may be gone by now; its end is taken note of either way.
            let _ = child.kill();
            let _ = child.wait();
            Err(Silence::TooLong { program, limit })
        }
    }
}

type Text = Receiver<String>;

/// None: not in time.
fn hear(child: &mut Child, (output, complaint): &(Text, Text), until: Instant) -> Option<Answer> {
    let left = || until.saturating_duration_since(Instant::now());
    let output = output.recv_timeout(left()).ok()?;
    let complaint = complaint.recv_timeout(left()).ok()?;
    // Whoever has closed both is about to end.
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            _ if left().is_zero() => return None,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    Some(Answer {
        code: status.code(),
        output,
        complaint,
    })
}

fn read(from: Option<impl Read + Send + 'static>) -> Text {
    let (sender, text) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            // What was read until then counts.
            let _ = from.take(MOST).read_to_end(&mut bytes);
        }
        // Nobody waits any more if it took too long.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    text
}

impl Answer {
    /// Whether the command says that it did its work.
    pub(super) fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// What it complained of, in one line.
    pub(super) fn why(&self) -> String {
        let lines = self.complaint.lines().map(str::trim);
        let said: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        match (said.is_empty(), self.code) {
            (false, _) => said.join("; "),
            (true, Some(code)) => format!("it ended with exit code {code} and no word"),
            (true, None) => "it was ended by a signal".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = slurm(Path::new("/bin/sh"));
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_command_prints_and_how_it_ends_is_kept() {
        let answer = ask(
            shell("echo yes; echo but >&2; exit 3"),
            Duration::from_secs(60),
        )
        .unwrap();
        assert_eq!((answer.code, answer.output.as_str()), (Some(3), "yes\n"));
        assert_eq!(answer.why(), "but");
    }

    #[test]
    fn one_that_takes_too_long_is_ended() {
        let limit = Duration::from_millis(100);
        let asked = ask(shell("exec sleep 600"), limit);
        assert!(matches!(asked, Err(Silence::TooLong { .. })), "{asked:?}");
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let asked = ask(slurm(Path::new("/no/sbatch")), Duration::from_secs(60));
        assert!(asked.unwrap_err().to_string().contains("/no/sbatch"));
    }
}
