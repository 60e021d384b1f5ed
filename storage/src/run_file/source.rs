//! What a file of results has, by variable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hdf5_metno::File;

use super::SPECIAL;
use crate::hdf5::{self, Link, links};

/// A file that results are taken from.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Variable → where it has something. Whatever else there is counts as a variable of its own.
    pub(super) variables: BTreeMap<String, Vec<Place>>,
}

/// Where a variable has something.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) link: Link,
}

/// What went wrong, and with which file.
pub(super) type Failure = (PathBuf, String);

impl Source {
    /// A fragment.
    pub(super) fn fragment(path: &Path) -> Result<Self, Failure> {
        Self::of(hdf5::open(path), path)
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
        let mut places = Vec::new();
        for link in links(&file)? {
            if SPECIAL.contains(&link.name.as_str())
                && let Some(group) = hdf5::own_group(&file, &link.name)?
            {
                let members = links(&group)?.into_iter();
                places.extend(members.map(|member| Place::of(Some(&link.name), member)));
            } else {
                places.push(Place::of(None, link));
            }
        }
        let mut variables: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for place in places {
            let name = place.link.name.clone();
            variables.entry(name).or_default().push(place);
        }
        Ok(Self {
            file,
            path: path.into(),
            variables,
        })
    }
}

impl Place {
    fn of(group: Option<&str>, link: Link) -> Self {
        let path = match group {
            Some(group) => format!("{group}/{}", link.name),
            None => link.name.clone(),
        };
        Self { path, link }
    }
}
