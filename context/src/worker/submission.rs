//! Results that users' code hands in by itself, frame after frame: from within a variable, or from a notebook
//! through a pipe.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::PROTOCOL;
use super::channel::{self, Frame, NoFrame};
use super::decode::Buffers;
use super::message::{HandedIn, SubmissionHead};
use crate::error::{Error, Result};
use crate::manifest::is_variable_name;
use crate::run::RunId;
use crate::value::{Failure, Outcome};

/// Where results belong and, one after the other, what they are.
pub struct Submission<'a> {
    /// The folder of the database.
    pub database_dir: PathBuf,
    /// The run.
    pub run: RunId,
    /// What made them: `context.py`.
    pub provenance: String,
    frames: Frames<'a>,
    /// Set when nothing more is to be read.
    ended: Option<std::result::Result<(), NoFrame>>,
}

/// Where a submission's frames come from.
type Frames<'a> = &'a mut dyn FnMut() -> std::result::Result<Frame, NoFrame>;

impl<'a> Submission<'a> {
    fn begin(header: Value, frames: Frames<'a>) -> std::result::Result<Self, NoFrame> {
        let head = SubmissionHead::deserialize(header)?;
        if head.protocol != PROTOCOL {
            let found = head.protocol;
            return Err(NoFrame::Nonsense(format!(
                "they speak protocol {found}, this program {PROTOCOL}: `runledger python-path` names \
                 the Python files of this program"
            )));
        }
        Ok(Self {
            database_dir: head.database_dir,
            run: head.run,
            provenance: head.provenance,
            frames,
            ended: None,
        })
    }

    /// The next variable and what became of it; None after the last.
    ///
    /// # Errors
    /// [`Error::Submission`]: they break off, or are no results.
    pub fn next_result(&mut self) -> Result<Option<(String, Outcome)>> {
        match &self.ended {
            Some(Ok(())) => return Ok(None),
            Some(Err(why)) => return Err(why.into()),
            None => {}
        }
        match self.read() {
            Ok(Some(result)) => return Ok(Some(result)),
            Ok(None) => self.ended = Some(Ok(())),
            Err(why) => self.ended = Some(Err(why)),
        }
        self.next_result()
    }

    fn read(&mut self) -> std::result::Result<Option<(String, Outcome)>, NoFrame> {
        let frame = (self.frames)()?;
        let buffers = Buffers(frame.buffers);
        let (name, outcome) = match HandedIn::deserialize(frame.header)? {
            HandedIn::Submitted => return Ok(None),
            HandedIn::Result { name, cell } => {
                let cell = buffers.cell(*cell);
                let cell = cell.map_err(|what| NoFrame::Nonsense(format!("{name}: {what}")))?;
                (name, Outcome::Cell(Box::new(cell)))
            }
            HandedIn::Failed { name, class, text } => {
                let message = text;
                (name, Outcome::Failed(Failure { class, message }))
            }
        };
        match is_variable_name(&name) {
            true => Ok(Some((name, outcome))),
            false => Err(NoFrame::Nonsense(format!(
                "{name:?} is no name of a variable"
            ))),
        }
    }

    /// Reads what nobody has asked for, so that the next frame is another message.
    fn skip_rest(mut self) -> std::result::Result<(), NoFrame> {
        loop {
            if let Some(how) = self.ended {
                return how;
            }
            let frame = (self.frames)()?;
            if frame.header["message"] == "submitted" {
                self.ended = Some(Ok(()));
            }
        }
    }
}

/// Lets `take` have the one submission that comes over a pipe.
///
/// # Errors
/// [`Error::Submission`]: what comes is none.
pub fn receive<T>(
    source: &mut impl Read,
    take: impl FnOnce(&mut Submission<'_>) -> T,
) -> Result<T> {
    // Who is asked to save results works in the database's folder.
    let mut frames = || channel::receive(source, Path::new("."));
    let header = frames().map_err(|why| Error::from(&why))?.header;
    let submission = Submission::begin(header, &mut frames);
    Ok(take(&mut submission.map_err(|why| Error::from(&why))?))
}

/// Takes a submission; returns the file that has the results now, or why there is none.
type Taker = dyn FnMut(&mut Submission<'_>) -> std::result::Result<PathBuf, String> + Send;

/// Where a worker's submissions go.
#[derive(Default)]
pub(super) struct Desk(Option<Box<Taker>>);

impl Desk {
    pub(super) fn of(taker: Box<Taker>) -> Self {
        Self(Some(taker))
    }

    /// Serves the submission that begins with `frame`; the answer is for the worker. Any other frame comes back.
    pub(super) fn serve(
        &mut self,
        frame: Frame,
        frames: Frames<'_>,
    ) -> std::result::Result<Served, NoFrame> {
        if frame.header["message"] != "submission" {
            return Ok(Served::Other(frame));
        }
        let mut submission = Submission::begin(frame.header, frames)?;
        let saved = match &mut self.0 {
            Some(take) => take(&mut submission),
            None => Err("results cannot be handed in here".into()),
        };
        submission.skip_rest()?;
        Ok(Served::Answer(match saved {
            Ok(path) => json!({"message": "saved", "path": path.to_string_lossy()}),
            Err(reason) => json!({"message": "refused", "reason": reason}),
        }))
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "open" } else { "closed" })
    }
}

/// What a frame was about.
pub(super) enum Served {
    /// A submission, to be answered so.
    Answer(Value),
    /// Something else.
    Other(Frame),
}

impl From<&NoFrame> for Error {
    fn from(why: &NoFrame) -> Self {
        let what = match why {
            NoFrame::Ended => "they break off".into(),
            NoFrame::TimedOut => "the time limit was over before they were complete".into(),
            NoFrame::Stopped => "the job was told to stop before they were complete".into(),
            NoFrame::Nonsense(what) => what.clone(),
            NoFrame::Failed(source) => source.to_string(),
            NoFrame::NoRoom(folder, source) => {
                format!(
                    "there is no room for them in {}: {source}",
                    folder.display()
                )
            }
        };
        Self::Submission { what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: Value) -> Vec<u8> {
        let mut header = header;
        header["buffers"] = json!([]);
        let text = header.to_string();
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        [&length, text.as_bytes()].concat()
    }

    fn head(protocol: u32) -> Vec<u8> {
        frame(
            json!({"message": "submission", "protocol": protocol, "database_dir": "/db",
            "proposal": 1234, "run": 7, "provenance": "me"}),
        )
    }

    fn failed(name: &str) -> Vec<u8> {
        frame(
            json!({"message": "failed", "name": name, "seconds": 0.0, "class": "E", "text": "why"}),
        )
    }

    /// The names that come, and the error at their end.
    fn names(frames: &[Vec<u8>]) -> (Vec<String>, Option<String>) {
        let mut names = Vec::new();
        let all = frames.concat();
        let end = receive(&mut all.as_slice(), |submission| {
            while let Some((name, _)) = submission.next_result()? {
                names.push(name);
            }
            Ok::<(), Error>(())
        });
        let error = end.and_then(|end| end).err();
        (names, error.map(|error| error.to_string()))
    }

    #[test]
    fn results_come_one_after_the_other_up_to_the_end() {
        let end = frame(json!({"message": "submitted"}));
        let frames = [head(PROTOCOL), failed("a"), failed("b.c"), end, failed("d")];
        assert_eq!(names(&frames), (vec!["a".into(), "b.c".into()], None));
    }

    #[test]
    fn results_that_break_off_are_an_error_however_often_they_are_asked_for() {
        let bytes = [head(PROTOCOL), failed("a")].concat();
        let again = receive(&mut bytes.as_slice(), |submission| {
            submission.next_result().unwrap();
            [
                submission.next_result().is_err(),
                submission.next_result().is_err(),
            ]
        });
        assert_eq!(again.unwrap(), [true, true]);
    }

    #[test]
    fn what_is_no_submission_is_refused_with_the_reason() {
        let refused = |frames: &[Vec<u8>]| names(frames).1.unwrap();
        assert!(refused(&[]).contains("break off"));
        assert!(refused(&[failed("a")]).contains("protocol"));
        assert!(refused(&[head(PROTOCOL + 1)]).contains("python-path"));
        for name in ["", ".reduced", "a/b", "a\0"] {
            let error = refused(&[head(PROTOCOL), failed(name)]);
            assert!(error.contains("no name of a variable"), "{error}");
        }
    }
}
