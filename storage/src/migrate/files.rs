//! The run files of a database: which there are, and whose.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use runledger_context::run::RunId;

use super::Problem;
use crate::error::{Error, Result};
use crate::results_dir;

/// The run files of the database in `dir`, by run.
///
/// # Errors
/// [`Error::File`]: their folder cannot be read. That there is none is no error.
pub(super) fn run_files(dir: &Path) -> Result<Vec<(RunId, PathBuf)>> {
    let folder = results_dir::path(dir);
    let failed = |source| Error::File {
        path: folder.clone(),
        source,
    };
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        files.extend(run_of(&path).map(|run| (run, path)));
    }
    files.sort();
    Ok(files)
}

/// The run of a file's name, `p1234_r7.h5`. Fragments and drafts have other names.
fn run_of(path: &Path) -> Option<RunId> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".h5")?;
    let (proposal, run) = stem.strip_prefix('p')?.split_once("_r")?;
    let run = RunId::new(proposal.parse().ok()?, run.parse().ok()?);
    (results_dir::stem(run) == stem).then_some(run)
}

/// The files of runs that have no row.
pub(super) fn without_run(dir: &Path, known: &BTreeSet<RunId>) -> Result<Vec<Problem>> {
    let files = run_files(dir)?.into_iter();
    let unknown = files.filter(|(run, _)| !known.contains(run));
    Ok(unknown
        .map(|(_, path)| Problem::FileWithoutRun(path))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_runs_own_file_is_one() {
        let is = |name: &str| run_of(Path::new(name)).is_some();
        assert_eq!(run_of(Path::new("x/p12_r3.h5")), Some(RunId::new(12, 3)));
        for other in [
            "p12_r3.ab.ready.h5",
            ".p12_r3.composing",
            "p012_r3.h5",
            "p12_r3.hdf5",
            "p_r.h5",
        ] {
            assert!(!is(other), "{other}");
        }
    }
}
