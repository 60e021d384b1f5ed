//! Each outcome into the fragment as soon as it is there; and why the others are missing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use runledger_context::value::{Failure, Outcome};
use runledger_context::worker::{Event, Limits, Request, Worker};
use runledger_storage::fragment::FragmentWriter;
use serde_json::{Map, Value};
use tracing::{error, warn};

use super::progress::Counter;
use super::work::Work;
use super::{Extracted, ExtractionSettings};
use crate::job::Job;
use crate::{Error, Result};

/// Does the work and returns the complete fragment.
pub(super) fn record(
    job: &Job,
    attempt: u32,
    settings: &ExtractionSettings,
    worker: &mut Worker,
    work: &Work,
    limits: &Limits,
) -> Result<(PathBuf, Extracted)> {
    let token = job.token(attempt);
    let writer = FragmentWriter::create(&job.database_dir, job.run, &token, "context.py")?;
    let stored = worker
        .manifest()
        .stored()
        .map(|variable| variable.name.clone());
    let mut recorder = Recorder {
        stored: stored.collect(),
        writer,
        extracted: Extracted::default(),
        counter: Counter::start(job, work.count()),
        trouble: None,
    };
    let request = request(job, settings, work);
    let recorded = worker.evaluate_all(&request, limits, &mut |event| recorder.take(event));
    let recorded = recorded.map_err(Error::from).map(|cut_short| {
        if let Some(cut_short) = &cut_short {
            warn!(
                "{}: the variables that are left get no value",
                cut_short.why
            );
        }
        recorder.extracted.cut_short = cut_short;
    });
    recorder.extracted.progress = Some(recorder.counter.progress());
    match (recorded, recorder.trouble) {
        (Ok(()), None) => Ok((recorder.writer.finish()?, recorder.extracted)),
        (recorded, trouble) => {
            // Half a fragment would look like a whole one.
            recorder.writer.discard();
            Err(trouble.or(recorded.err()).expect("one of them is an error"))
        }
    }
}

fn request(job: &Job, settings: &ExtractionSettings, work: &Work) -> Request {
    Request {
        run: job.run,
        data: job.data,
        selected: work.selected.clone(),
        names: work.names.clone(),
        again: work.again.clone(),
        given: work.given.clone(),
        hand_over: work.hand_over.clone(),
        lost: Vec::new(),
        workers: settings.context_workers,
        mock: job.request.mock,
        params: params(&job.request.params),
        opener: settings.opener.clone(),
    }
}

/// A value that is JSON is that; any other is a text.
fn params(given: &[(String, String)]) -> Map<String, Value> {
    let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| text.clone().into());
    given
        .iter()
        .map(|(name, text)| (name.clone(), value(text)))
        .collect()
}

struct Recorder {
    /// The variables that may have a cell.
    stored: BTreeSet<String>,
    writer: FragmentWriter,
    extracted: Extracted,
    counter: Counter,
    /// The disk does not take any more; the first such error.
    trouble: Option<Error>,
}

impl Recorder {
    fn take(&mut self, event: Event) {
        if let Event::Outcome { .. } | Event::NoValue { .. } = event {
            self.counter.count();
        }
        match event {
            Event::Outcome { name, outcome, .. } => self.save(&name, &outcome),
            Event::StartTime(seconds) => self.note(|writer| writer.save_start_time(seconds)),
            Event::Started(name) if self.stored.contains(&name) => {
                self.note(|writer| writer.begin(&name));
            }
            Event::Started(_) | Event::NoValue { .. } => {}
        }
    }

    fn save(&mut self, name: &str, outcome: &Outcome) {
        match save(&mut self.writer, name, outcome) {
            Ok(true) => self.extracted.computed += 1,
            Ok(false) => self.extracted.failed += 1,
            Err(why) => self.trouble = self.trouble.take().or(Some(why)),
        }
    }

    fn note(&mut self, write: impl FnOnce(&mut FragmentWriter) -> runledger_storage::Result<()>) {
        if let Err(why) = write(&mut self.writer) {
            self.trouble = self.trouble.take().or(Some(why.into()));
        }
    }
}

/// Saves what became of a variable, and says whether that is a value: in the place of one that cannot be stored
/// is the reason.
///
/// # Errors
/// The disk does not take any more.
pub(super) fn save(writer: &mut FragmentWriter, name: &str, outcome: &Outcome) -> Result<bool> {
    match writer.save(name, outcome) {
        Err(why) if why.is_not_storable() => {
            error!("{name}: {why}");
            let failure = Failure {
                class: "NotStorable".into(),
                message: why.to_string(),
            };
            writer.save(name, &Outcome::Failed(failure))?;
            Ok(false)
        }
        saved => {
            saved?;
            Ok(matches!(outcome, Outcome::Cell(_)))
        }
    }
}
