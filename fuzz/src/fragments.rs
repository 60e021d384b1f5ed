//! HDF5 files: fragments, which anybody's code may have written, what a dead job left of one, and the runs' files that they
//! are merged into.

use std::path::{Path, PathBuf};

use runledger_context::run::RunId;
use runledger_context::value::Failure;
use runledger_storage::fragment::{self, Fragment};
use runledger_storage::{Result, run_file};

use crate::checksums;

/// The run whose results they are.
pub(crate) const RUN: (u32, u32) = (1234, 7);

/// Looked at, merged into a new file, and merged into that one once more.
pub(crate) fn fragment(bytes: &[u8]) {
    let folder = folder();
    let place = put(folder.path(), "p1234_r7.a.ready.h5", bytes);
    let _ = read(folder.path(), &place);
}

/// Completed, and read then.
pub(crate) fn leftover(bytes: &[u8]) {
    let folder = folder();
    let place = put(folder.path(), "p1234_r7.a.writing.h5", bytes);
    let failure = Failure {
        class: "JobDied".into(),
        message: "it died".into(),
    };
    let name = fragment::running(&place).unwrap_or_else(|| "x".into());
    if let Ok(ready) = fragment::salvage(&place, &[(name, failure)]) {
        let _ = read(folder.path(), &ready);
    }
}

/// A run's file, with a sound fragment to be merged into it.
pub(crate) fn run_file(bytes: &[u8]) {
    let folder = folder();
    put(folder.path(), "p1234_r7.h5", bytes);
    let run = RunId::new(RUN.0, RUN.1);
    let writer = fragment::FragmentWriter::create(folder.path(), run, "a", "context.py");
    let ready = writer.and_then(|writer| writer.finish());
    let _ = ready.and_then(|ready| merge(folder.path(), &ready));
}

/// As the combiner reads a fragment.
pub(crate) fn read(folder: &Path, place: &Path) -> Result<()> {
    fragment::summaries(place)?;
    if let Some(fragment) = Fragment::of(place) {
        run_file::examine(folder, &fragment)?;
        fragment::trim(&fragment, &["x"])?;
    }
    merge(folder, place)?;
    merge(folder, place)
}

fn merge(folder: &Path, place: &Path) -> Result<()> {
    let run = RunId::new(RUN.0, RUN.1);
    let fragment = Fragment {
        path: place.into(),
        run,
    };
    run_file::merge(folder, run, &[fragment])
}

/// A database's folder, with room for results.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("extracted_data")).expect("a folder");
    folder
}

/// The bytes as a file whose checksums are right.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let mut bytes = bytes.to_vec();
    checksums::set_right(&mut bytes);
    let place = folder.join("extracted_data").join(name);
    std::fs::write(&place, bytes).expect("a file");
    place
}
