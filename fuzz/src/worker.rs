//! Frames: what the users' Python says to the job, and what it hands in by itself.

use std::path::Path;

use runledger_context::run::RunId;
use runledger_context::value::Outcome;
use runledger_context::worker::{Event, receive_submission, understand_all};
use runledger_storage::fragment::FragmentWriter;

const RUN: (u32, u32) = (1234, 7);

/// All that a worker says, whose results are stored.
pub(crate) fn conversation(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let said = understand_all(&mut &*bytes, folder.path());
    let outcomes = said.into_iter().flatten().filter_map(|event| match event {
        Event::Outcome { name, outcome, .. } => Some((name, outcome)),
        _ => None,
    });
    store(folder.path(), outcomes);
}

/// Results from a notebook, which are stored.
pub(crate) fn results(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outcomes = Vec::new();
    let _ = receive_submission(&mut &*bytes, |submission| {
        while let Ok(Some(outcome)) = submission.next_result() {
            outcomes.push(outcome);
        }
    });
    store(folder.path(), outcomes.into_iter());
}

/// Into a fragment, with the summaries that are drawn of them.
fn store(folder: &Path, outcomes: impl Iterator<Item = (String, Outcome)>) {
    let mut outcomes = outcomes.peekable();
    if outcomes.peek().is_none() {
        return;
    }
    let run = RunId::new(RUN.0, RUN.1);
    let mut writer = FragmentWriter::create(folder, run, "a", "context.py").expect("a fragment");
    for (name, outcome) in outcomes {
        // What cannot be stored costs itself only.
        let _ = writer.save(&name, &outcome);
    }
    writer
        .finish()
        .expect("a fragment can be finished, whatever is in it");
}
