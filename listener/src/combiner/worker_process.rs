//! A process that merges for the service: asked one thing at a time, and made anew when it has ended.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tracing::error;

use super::suspects::is_crash;
use super::work::{Answer, Work};

/// Has it done by `process`, or by a new one.
pub(super) fn by_process(
    work: &Work,
    program: &[OsString],
    process: &mut Option<Process>,
) -> Answer {
    let asked = match process.take() {
        Some(process) => Ok(process),
        None => Process::start(program),
    };
    let answered = asked
        .map_err(Answer::Failed)
        .and_then(|mut asked| match asked.ask(work) {
            Ok(answer) => {
                *process = Some(asked);
                Ok(answer)
            }
            Err(why) => Err(asked.end(&why)),
        });
    answered.unwrap_or_else(|cut_short| {
        if let Answer::Failed(why) | Answer::Crashed(why) = &cut_short {
            error!(folder = %work.folder().display(), "merging was cut short: {why}");
        }
        cut_short
    })
}

/// A process that merges. When it is dropped, it ends as soon as it has nothing to do.
pub(super) struct Process {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(program: &[OsString]) -> Result<Self, String> {
        let (name, arguments) = program.split_first().ok_or("it has no name")?;
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| format!("{} cannot be started: {why}", name.display()))?;
        let requests = child.stdin.take();
        let answers = child.stdout.take().ok_or("it has no output")?;
        Ok(Self {
            child,
            requests,
            answers: BufReader::new(answers),
        })
    }

    fn ask(&mut self, work: &Work) -> Result<Answer, String> {
        let request = serde_json::to_string(work).map_err(|why| why.to_string())?;
        let requests = self.requests.as_mut().ok_or("it takes no requests")?;
        writeln!(requests, "{request}").map_err(|why| why.to_string())?;
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        read.map_err(|why| why.to_string())?;
        serde_json::from_str(&line).map_err(|why| format!("{why} in {line:?}"))
    }

    /// What became of it, and so of the work.
    fn end(mut self, why: &str) -> Answer {
        self.requests = None;
        match self.child.wait() {
            Ok(status) => match status.signal() {
                Some(signal) => {
                    let words = format!("the process at it was ended by signal {signal}");
                    match is_crash(signal) {
                        true => Answer::Crashed(words),
                        false => Answer::Failed(words),
                    }
                }
                None => Answer::Failed(format!("the process at it ended with {status} ({why})")),
            },
            Err(also) => Answer::Failed(format!("{why}; {also}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.requests = None;
        // It has nothing to do, or its combiner is about to end as well.
        let _ = self.child.wait();
    }
}
