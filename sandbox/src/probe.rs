//! What this machine offers for a sandbox, found out by trying.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde::Serialize;

pub use crate::attempts::ATTEMPTS;
use crate::attempts::{Bait, Laid};
use crate::{Enclosure, Error, Job, Mode, Part, Result, Settings, rules};

/// What came of one sandbox.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// Of what it was made.
    pub parts: Vec<Part>,
    /// Why there is none.
    pub missing: Option<String>,
    /// Attempt → whether it got through.
    pub got_through: BTreeMap<String, bool>,
}

/// What this machine offers.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    /// The kernel's version of Landlock.
    pub landlock: Option<i32>,
    /// Each part by itself.
    pub parts: Vec<Tried>,
    /// All that are there together.
    pub together: Tried,
}

/// Tries each part, and all that are there together.
///
/// # Errors
/// Nothing can be laid out for attempts.
pub fn offer() -> Result<Offer> {
    let each = Part::ALL.map(|part| tried(&[part]));
    let parts = each.into_iter().collect::<Result<Vec<_>>>()?;
    let there = parts.iter().filter(|tried| tried.missing.is_none());
    let there: Vec<Part> = there.flat_map(|tried| tried.parts.clone()).collect();
    Ok(Offer {
        landlock: rules::version(),
        together: tried(&there)?,
        parts,
    })
}

/// Makes the attempts; for the program that runs inside.
///
/// # Errors
/// It was given no bait.
pub fn attempt(bait: &str) -> Result<String> {
    let wrong = |why: serde_json::Error| Error::Order(why.to_string());
    let bait: Bait = serde_json::from_str(bait).map_err(wrong)?;
    serde_json::to_string(&bait.try_all()).map_err(wrong)
}

fn tried(parts: &[Part]) -> Result<Tried> {
    let settings = Settings {
        mode: if parts.is_empty() {
            Mode::Off
        } else {
            Mode::On
        },
        parts: parts.to_vec(),
        ..Settings::default()
    };
    let said = attempts_in(&settings)?;
    let got_through = said.as_ref().ok().cloned().unwrap_or_default();
    Ok(Tried {
        parts: parts.to_vec(),
        missing: said.err(),
        got_through,
    })
}

/// Which attempts get through; or why there is no such sandbox.
fn attempts_in(settings: &Settings) -> Result<std::result::Result<BTreeMap<String, bool>, String>> {
    let folder = std::env::temp_dir();
    let laid = Laid::out().map_err(|source| Error::NoScratch { folder, source })?;
    let bait = serde_json::to_string(&laid.bait).map_err(|why| Error::Order(why.to_string()))?;
    let program = std::env::current_exe().map_err(Error::NoProgram)?;
    let enclosure = Enclosure::of(settings, &Job::default())?;
    let mut words = enclosure.words.clone();
    words.push(program.clone().into());
    words.extend(["sandbox", "attempt", &bait].map(Into::into));
    let output = Command::new(&words[0])
        .args(&words[1..])
        .envs(&enclosure.environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Program { program, source })?;
    Ok(serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("error: ");
        match said.is_empty() {
            true => format!("it ended with {}", output.status),
            false => said.to_owned(),
        }
    }))
}
