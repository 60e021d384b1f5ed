//! A run's file, and merging fragments into it.
//!
//! The new file is composed beside the old one, of each variable from the newest source that names it, and takes
//! its place in one rename: whoever opens it at any instant sees the old one or the new one, whole, and nothing of
//! what was replaced is left in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hdf5_metno::File;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use runledger_context::run::RunId;

use crate::error::{Error, Result};
use crate::fragment::Fragment;
use crate::hdf5::{self, Composer, words};
use crate::{results_dir, sharing};

/// Groups whose members belong to the variables of the same names.
const SPECIAL: [&str; 3] = [".reduced", ".preview", ".errors"];
/// How long another merge of the same run may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file of a run's full results.
pub fn path(database_dir: &Path, run: RunId) -> PathBuf {
    results_dir::path(database_dir).join(format!("{}.h5", results_dir::stem(run)))
}

/// The right to merge into a run's file, until it is dropped.
pub struct Lock {
    _file: fs::File,
}

/// Takes the right to merge into a run's file, from all processes on this file system. It is a lock on one byte
/// of `extracted_data/.merging`: the system gives it back when the process ends, however that happens.
///
/// # Errors
/// [`Error::RunFileBusy`] if another process has it for long; [`Error::File`].
pub fn lock(database_dir: &Path, run: RunId) -> Result<Lock> {
    let path = results_dir::made(database_dir)?.join(".merging");
    let failed = |source| Error::File {
        path: path.clone(),
        source,
    };
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        // Everybody may write into the folder: a link there could lead to any file of ours.
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(failed)?;
    sharing::share_file(&path).map_err(failed)?;
    let until = Instant::now() + PATIENCE;
    while fcntl(&file, FcntlArg::F_OFD_SETLK(&byte_of(run))).is_err() {
        if Instant::now() > until {
            return Err(Error::RunFileBusy {
                path: self::path(database_dir, run),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Lock { _file: file })
}

/// The byte that stands for a run.
fn byte_of(run: RunId) -> libc::flock {
    let proposal = i64::from(run.proposal.0 & (u32::MAX >> 1));
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: proposal << 32 | i64::from(run.number.0),
        l_len: 1,
        l_pid: 0,
    }
}

/// Merges fragments of a run, oldest first, into its file. The fragments stay; doing it again changes nothing.
///
/// # Errors
/// [`Error::Results`], naming the file that cannot be read or written; the run's file is as it was then.
pub fn merge(database_dir: &Path, run: RunId, fragments: &[Fragment]) -> Result<()> {
    let place = path(database_dir, run);
    let draft =
        results_dir::path(database_dir).join(format!(".{}.composing", results_dir::stem(run)));
    let mut sources = Vec::new();
    let is_new = !place.is_file();
    if !is_new {
        // Open until the end: DAMNIT's combiner, which writes in place, cannot begin meanwhile.
        sources.push(Source::open(&place)?);
    }
    for fragment in fragments {
        sources.push(Source::open(&fragment.path)?);
    }
    if let Err((path, reason)) = compose(&draft, &sources) {
        // What is left of it says nothing that the error does not say.
        let _ = fs::remove_file(&draft);
        return Err(Error::results(&path, reason));
    }
    match is_new {
        true => results_dir::settle_new(&draft, &place),
        false => results_dir::settle(&draft, &place),
    }
}

/// A file that results are taken from.
struct Source {
    file: File,
    path: PathBuf,
    /// Variable → where it has something.
    variables: BTreeMap<String, Vec<String>>,
    /// Everything else.
    others: Vec<String>,
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        Self::read(path).map_err(|reason| Error::results(path, reason))
    }

    fn read(path: &Path) -> hdf5::Outcome<Self> {
        let file = File::open(path).map_err(words)?;
        let mut variables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut others = Vec::new();
        for name in file.member_names().map_err(words)? {
            if SPECIAL.contains(&name.as_str()) {
                for member in file
                    .group(&name)
                    .and_then(|group| group.member_names())
                    .map_err(words)?
                {
                    let place = format!("{name}/{member}");
                    variables.entry(member).or_default().push(place);
                }
            } else if name.starts_with('.') {
                others.push(name);
            } else {
                variables.entry(name.clone()).or_default().push(name);
            }
        }
        Ok(Self {
            file,
            path: path.into(),
            variables,
            others,
        })
    }
}

/// Failures come with the file that they are about.
fn compose(draft: &Path, sources: &[Source]) -> std::result::Result<(), (PathBuf, String)> {
    let at_draft = |reason| (draft.to_path_buf(), reason);
    let mut composer = Composer::create(draft).map_err(at_draft)?;
    for group in SPECIAL {
        composer
            .file()
            .create_group(group)
            .map_err(|error| at_draft(words(error)))?;
    }
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for (index, source) in sources.iter().enumerate() {
        let at_source = |reason| (source.path.clone(), reason);
        if index == 0 {
            composer.take_attributes(&source.file).map_err(at_source)?;
        }
        let newer = &sources[index + 1..];
        let is_replaced =
            |name: &String| newer.iter().any(|newer| newer.variables.contains_key(name));
        for (_, places) in source
            .variables
            .iter()
            .filter(|(name, _)| !is_replaced(name))
        {
            for place in places {
                composer.take(&source.file, place).map_err(at_source)?;
            }
        }
        for other in &source.others {
            if taken.insert(other) {
                composer.take(&source.file, other).map_err(at_source)?;
            }
        }
    }
    composer
        .file()
        .flush()
        .map_err(|error| at_draft(words(error)))
}
