//! Evaluation in one worker, until all is done or the worker breaks off.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::json;

use super::channel::{Frame, NoFrame};
use super::decode::Buffers;
use super::message::Progress;
use super::process::describe;
use super::turns::Turns;
use super::{Cause, End, Event, FAREWELL, Limits, Request, Worker};
use crate::error::{Error, Result};
use crate::value::{Failure, Outcome};

/// What a frame comes to.
pub(super) enum Step {
    Event(Event),
    /// The process in which this variable begins.
    Begin(String, Pid),
    /// A fork has ended before its variable had its turn, with this status.
    Lost(String, ExitStatus),
    /// The run's data could not be opened.
    Unopened {
        class: String,
        text: String,
    },
    Finished,
}

impl Worker {
    /// Evaluates variables of one run; `on` hears of each step when it happens.
    ///
    /// After [`End::Broken`] there is no Python any more: later calls end the same way.
    ///
    /// # Errors
    /// [`Error::Unopened`], [`Error::NoRoom`].
    pub fn evaluate(
        &mut self,
        request: &Request,
        limits: &Limits,
        on: &mut dyn FnMut(Event),
    ) -> Result<End> {
        let mut turns = Turns::new(&request.names);
        if self.channel.send(&request.as_message()).is_err() {
            let how = self.process.end(FAREWELL);
            return Ok(End::Broken(turns.broken(Cause::Died(how))));
        }
        loop {
            match self.step(request, limits, &mut turns, on) {
                Ok(true) => {}
                Ok(false) => return Ok(End::Finished),
                // No variable's fault: the others would not fit either.
                Err(Stumble::NoFrame(NoFrame::NoRoom(folder, source))) => {
                    self.process.kill().ok();
                    return Err(Error::NoRoom { folder, source });
                }
                Err(Stumble::NoFrame(why)) => {
                    let cause = self.cause(why, limits);
                    return Ok(End::Broken(turns.broken(cause)));
                }
                Err(Stumble::Unopened(why)) => return Err(why),
            }
        }
    }

    /// Whether there is more to come.
    fn step(
        &mut self,
        request: &Request,
        limits: &Limits,
        turns: &mut Turns,
        on: &mut dyn FnMut(Event),
    ) -> std::result::Result<bool, Stumble> {
        let deadline = limits.next(turns.started());
        let frame = match self.receive_progress(deadline, &limits.stop) {
            Err(NoFrame::TimedOut) if self.kill_overdue(turns, limits) => return Ok(true),
            frame => frame?,
        };
        match understand(frame)? {
            Step::Finished => return Ok(false),
            Step::Unopened { class, text } => {
                return Err(Stumble::Unopened(Error::Unopened {
                    run: request.run,
                    class,
                    message: text,
                }));
            }
            Step::Begin(name, process) => {
                let fork = (process != self.pid).then_some(process);
                let event = Event::Started(name.clone());
                turns.hear(&event).map_err(NoFrame::Nonsense)?;
                turns.begin(&name, fork);
                self.process.begin_printing();
                on(event);
            }
            Step::Lost(name, status) => self.lose(&name, status, limits, turns, on)?,
            Step::Event(event) => {
                turns.hear(&event).map_err(NoFrame::Nonsense)?;
                on(event);
            }
        }
        Ok(true)
    }

    /// Whether forks that took too long, and are gone now, are all that the time limits concern.
    fn kill_overdue(&self, turns: &mut Turns, limits: &Limits) -> bool {
        let mut kill = |limit| turns.kill_overdue(limit, self.pid);
        !limits.is_over() && limits.variable.is_some_and(&mut kill)
    }

    /// A fork is gone: its variable gets the reason, and so do those that wait for it in Python.
    fn lose(
        &mut self,
        name: &str,
        status: ExitStatus,
        limits: &Limits,
        turns: &mut Turns,
        on: &mut dyn FnMut(Event),
    ) -> std::result::Result<(), NoFrame> {
        let was_running = turns.is_overdue(name);
        let cause = match (was_running, limits.variable) {
            (Some(true), Some(limit)) => Cause::VariableTimeLimit(limit),
            _ => Cause::Died(describe(status)),
        };
        let failure = cause.while_running();
        let answer = json!({"class": failure.class, "text": failure.message});
        // A fork that ended after it had handed its result in is no news.
        if was_running.is_some() {
            let is_transient = self.manifest().variable(name).is_some_and(|v| v.transient);
            turns.end(name);
            tracing::error!("{name}: {}", failure.message);
            on(Event::lost(name.to_owned(), failure, is_transient));
        }
        self.channel.send(&answer).map_err(|_| NoFrame::Ended)
    }

    /// Why nothing more comes; Python has ended then.
    fn cause(&mut self, why: NoFrame, limits: &Limits) -> Cause {
        if let NoFrame::Ended = why {
            let how = self.process.end(FAREWELL);
            // A signal to all processes of a job may reach Python first.
            return match limits.stop.is_raised() {
                true => Cause::Stopped,
                false => Cause::Died(how),
            };
        }
        // How it ends does not matter any more.
        let _ = self.process.kill();
        match why {
            NoFrame::Ended | NoFrame::Stopped => Cause::Stopped,
            NoFrame::TimedOut => limits.cause(),
            NoFrame::Nonsense(what) => Cause::Unreadable(what),
            NoFrame::Failed(source) | NoFrame::NoRoom(_, source) => {
                Cause::Unreadable(source.to_string())
            }
        }
    }
}

/// What a frame of an evaluation means.
pub(super) fn understand(frame: Frame) -> std::result::Result<Step, NoFrame> {
    let buffers = Buffers(frame.buffers);
    let progress = Progress::deserialize(frame.header);
    let event = match progress? {
        Progress::StartTime { seconds } => Event::StartTime(seconds),
        Progress::Start { name, pid } => return Ok(Step::Begin(name, Pid::from_raw(pid))),
        Progress::Lost { name, status } => {
            return Ok(Step::Lost(name, ExitStatus::from_raw(status)));
        }
        Progress::NoValue {
            name,
            held,
            failure,
        } => Event::NoValue {
            name,
            held,
            failure: failure.map(Failure::from),
        },
        Progress::Result {
            name,
            seconds,
            cell,
        } => {
            let cell = buffers.cell(*cell);
            let cell = cell.map_err(|what| NoFrame::Nonsense(format!("{name}: {what}")))?;
            had_turn(name, seconds, Outcome::Cell(Box::new(cell)))
        }
        Progress::Failed {
            name,
            seconds,
            class,
            text: message,
        } => had_turn(name, seconds, Outcome::Failed(Failure { class, message })),
        Progress::Unopened { class, text } => return Ok(Step::Unopened { class, text }),
        Progress::Finished => return Ok(Step::Finished),
    };
    Ok(Step::Event(event))
}

/// Why an evaluation does not go on.
enum Stumble {
    NoFrame(NoFrame),
    Unopened(Error),
}

impl From<NoFrame> for Stumble {
    fn from(why: NoFrame) -> Self {
        Self::NoFrame(why)
    }
}

fn had_turn(name: String, seconds: f64, outcome: Outcome) -> Event {
    Event::Outcome {
        name,
        outcome,
        seconds,
    }
}
