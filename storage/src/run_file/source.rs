//! What a file of results has, by variable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hdf5_metno::File;

use super::SPECIAL;
use crate::hdf5::{self, words};

/// A file that results are taken from.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Variable → where it has something. Whatever else there is counts as a variable of its own.
    pub(super) variables: BTreeMap<String, Vec<String>>,
}

/// What went wrong, and with which file.
pub(super) type Failure = (PathBuf, String);

impl Source {
    /// A fragment.
    pub(super) fn fragment(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(words);
        Self::of(file, path)
    }

    /// The run's file, which DAMNIT's combiner cannot begin to change until this is dropped.
    pub(super) fn run_file(path: &Path) -> Result<Self, Failure> {
        Self::of(hdf5::open_apart(path), path)
    }

    fn of(file: hdf5::Outcome<File>, path: &Path) -> Result<Self, Failure> {
        file.and_then(|file| Self::read(file, path))
            .map_err(|reason| (path.into(), reason))
    }

    fn read(file: File, path: &Path) -> hdf5::Outcome<Self> {
        let mut variables: BTreeMap<String, Vec<String>> = BTreeMap::new();
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
            } else {
                variables.entry(name.clone()).or_default().push(name);
            }
        }
        Ok(Self {
            file,
            path: path.into(),
            variables,
        })
    }
}
