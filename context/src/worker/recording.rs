//! What a worker has said, from bytes that were kept of it, or made up: understood as a job would understand it.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::channel::{self, NoFrame};
use super::evaluating::{Step, understand};
use super::message::{Hello, Reading};
use super::{Event, greeting};

/// Reads all that a worker has said: its greeting, what the context file declares, and what happened during the
/// evaluation. Large results go to `folder`.
///
/// # Errors
/// Where it is no such thing, in words.
pub fn understand_all(source: &mut impl Read, folder: &Path) -> Result<Vec<Event>, String> {
    let mut next = || channel::receive(source, folder).map_err(|why| in_words(&why));
    let hello = Hello::deserialize(next()?.header).map_err(|why| why.to_string())?;
    greeting::check(Path::new("python"), hello).map_err(|why| why.to_string())?;
    if let Reading::Manifest(manifest) =
        Reading::deserialize(next()?.header).map_err(|why| why.to_string())?
        && let Some(what) = manifest.contradiction()
    {
        return Err(what);
    }
    let mut events = Vec::new();
    loop {
        match understand(next()?).map_err(|why| in_words(&why))? {
            Step::Event(event) => events.push(event),
            Step::Begin(name, _) => events.push(Event::Started(name)),
            Step::Lost(..) => {}
            Step::Unopened { .. } | Step::Finished => return Ok(events),
        }
    }
}

fn in_words(why: &NoFrame) -> String {
    crate::Error::from(why).to_string()
}
