//! A warm Python: it has imported what a job before imported, and forks a worker for each further job.
//!
//! There is one per database, interpreter and environment of a user on a host. The other side of this is
//! `context/python/runledger_runtime/warm.py`; the messages are in `docs/worker-protocol.md`.

mod forked;
mod place;

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

pub(super) use self::forked::Forked;
pub(super) use self::place::{Answer, Place};
use super::Setup;
use super::leftovers::STAYS;

/// Leaves a Python behind that imports what `imported` says and waits at `place`, each time for `patience`.
pub(super) fn leave(
    place: &Place,
    setup: &Setup,
    script: &Path,
    imported: &Value,
    patience: Duration,
) -> io::Result<()> {
    let log = File::create(place.log())?;
    let mut child = Command::new(&setup.python)
        .arg(script)
        .arg("keep")
        .arg(place.folder())
        .arg(place.name())
        .arg(patience.as_secs().to_string())
        .envs(&setup.environment)
        .env(STAYS.0, STAYS.1)
        .current_dir(&setup.database_dir)
        .stdin(read_from(imported)?)
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    // It goes on in a child of its own.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// From a file: nobody waits until a Python has come so far as to read it.
fn read_from(content: &Value) -> io::Result<Stdio> {
    let mut file = tempfile::tempfile()?;
    file.write_all(content.to_string().as_bytes())?;
    file.rewind()?;
    Ok(Stdio::from(file))
}
