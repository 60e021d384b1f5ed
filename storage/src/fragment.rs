//! Fragments: what one job computed, in an HDF5 file of its own, until it is merged.
//!
//! `p{proposal}_r{run}.{token}.writing.h5` while it is written, `….ready.h5` when it is complete.

mod abandoned;
mod order;
mod passed_over;
mod reading;
mod salvaging;
mod trimming;
mod writer;
mod writing;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use runledger_context::run::{Proposal, RunId, RunNumber};
use runledger_steps::{Step, reached};

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::results_dir;

pub use abandoned::abandoned;
pub(crate) use order::be_as_new_as;
pub use passed_over::passed_over;
pub use reading::{Summaries, summaries};
pub use salvaging::{forget_drafts, running, salvage, salvage_unseen};
pub use trimming::trim;
pub(crate) use writing::{ERRORS, PREVIEWS, SUMMARIES};
pub use writing::{FragmentWriter, ready_path, writing_path};

const READY: &str = ".ready.h5";

/// A complete fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The file.
    pub path: PathBuf,
    /// The run whose results it has.
    pub run: RunId,
}

impl Fragment {
    /// The fragment that a path names; None if that is no name of a complete fragment.
    pub fn of(path: &Path) -> Option<Self> {
        Self::named(path, READY)
    }

    /// What tells it from other fragments of its run.
    pub fn token(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        let token = name.and_then(|name| name.strip_suffix(READY)?.split_once('.'));
        token.map_or("", |(_, token)| token)
    }

    /// When it was written; 1970 if that cannot be told.
    pub fn modified(&self) -> SystemTime {
        let modified = fs::symlink_metadata(&self.path).and_then(|found| found.modified());
        modified.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// When it was written, in seconds since 1970; 0 if that cannot be told.
    pub fn written_at(&self) -> f64 {
        let since = self.modified().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs_f64()
    }

    fn named(path: &Path, ending: &str) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(ending)?;
        let (run, token) = name.split_once('.')?;
        let (proposal, number) = run.strip_prefix('p')?.split_once("_r")?;
        let digits = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse().ok())
                .flatten()
        };
        let run = RunId {
            proposal: Proposal(digits(proposal)?),
            number: RunNumber(digits(number)?),
        };
        (!token.is_empty()).then(|| Self {
            path: path.into(),
            run,
        })
    }
}

/// The complete fragments of a database, or of one of its runs, in the order in which they were written.
///
/// # Errors
/// [`Error::File`] if the folder cannot be read; one that is not there has none.
pub fn ready_fragments(database_dir: &Path, run: Option<RunId>) -> Result<Vec<Fragment>> {
    let dir = results_dir::path(database_dir);
    let opened = Folder::open(&dir).and_then(|folder| fs::read_dir(folder.path()));
    let entries = match opened {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::File { path: dir, source }),
    };
    let mut found: Vec<(SystemTime, Fragment)> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| {
            let fragment = Fragment::of(&dir.join(entry.file_name()))
                .filter(|found| run.is_none_or(|run| run == found.run))?;
            // One that is gone by now was merged by somebody else.
            Some((entry.metadata().ok()?.modified().ok()?, fragment))
        })
        .collect();
    found.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.path.cmp(&other.path)));
    Ok(found.into_iter().map(|(_, fragment)| fragment).collect())
}

/// Removes a fragment that is merged.
///
/// # Errors
/// [`Error::File`].
pub fn remove(fragment: &Fragment) -> Result<()> {
    results_dir::with_file(&fragment.path, |path| match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::File {
            path: path.into(),
            source,
        }),
        _ => {
            reached(Step::FragmentRemoved);
            Ok(())
        }
    })
}

/// Puts a fragment that cannot be read out of the way, as `….broken.h5`, with the reason in a text file beside
/// it. `tell` is given its new path before it has it: whoever is interrupted in between tells once more, and nobody goes
/// without. Returns its new path and what `tell` gave.
///
/// # Errors
/// [`Error::File`].
pub fn set_aside<T>(
    fragment: &Fragment,
    why: &str,
    tell: impl FnOnce(&Path) -> T,
) -> Result<(PathBuf, T)> {
    let name = fragment.path.to_string_lossy();
    let stem = name.strip_suffix(READY).unwrap_or(&name);
    let place = PathBuf::from(format!("{stem}.broken.h5"));
    let set_aside = || -> io::Result<T> {
        let folder = Folder::of(&place)?;
        let at = |path: &Path| folder.at(path.file_name().unwrap_or_default());
        let reason = at(&place.with_extension("txt"));
        // What is there is an older reason, or a link by somebody who would like to see it followed.
        let _ = fs::remove_file(&reason);
        writeln!(fs::File::create_new(reason)?, "{why}")?;
        let told = tell(&place);
        reached(Step::BrokenTold);
        fs::rename(at(&fragment.path), at(&place))?;
        reached(Step::BrokenSetAside);
        Ok(told)
    };
    let told = set_aside().map_err(|source| Error::File {
        path: fragment.path.clone(),
        source,
    })?;
    Ok((place, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragments_name_tells_its_run_and_its_token() {
        let fragment = Fragment::of(Path::new("/x/p1234_r7.some-token.ready.h5")).unwrap();
        assert_eq!(fragment.run, RunId::new(1234, 7));
        assert_eq!(fragment.token(), "some-token");
    }

    #[test]
    fn other_names_are_no_fragments() {
        for name in [
            "p1_r2.h5",
            "p1_r2.ready.h5",
            "p1_r2.x.writing.h5",
            "p1_r+2.x.ready.h5",
            "p1_r99999999999.x.ready.h5",
        ] {
            assert_eq!(Fragment::of(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_set_aside_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p1_r2.x.ready.h5");
        fs::write(&path, "nonsense").unwrap();
        let tell = |place: &Path| (path.exists(), place.exists());
        let (place, told) = set_aside(&Fragment::of(&path).unwrap(), "no HDF5", tell).unwrap();
        assert_eq!(told, (true, false));
        assert_eq!(fs::read_to_string(place).unwrap(), "nonsense");
        assert_eq!(
            fs::read_to_string(folder.path().join("p1_r2.x.broken.txt")).unwrap(),
            "no HDF5\n"
        );
        assert!(!path.exists());
    }
}
