//! What a job may read or write, opened once: the rules and the view of the file system are made of the same files, whatever
//! has their names meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::order::Order;
use crate::trail::below;
use crate::trust::is_absent;
use crate::{Error, Part, Result};

/// What may be done in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Own,
    Write,
    Read,
    /// To be read. A program that tries to write there, as EXtra-data does, expects to hear that it may not, and not that
    /// nobody can: where there is Landlock, the mount is left as it is.
    Data,
}

/// A place of one kind.
pub(crate) struct Opened {
    pub(crate) kind: Kind,
    pub(crate) file: OwnedFd,
}

/// All of them, by their paths.
pub(crate) type Places = BTreeMap<PathBuf, Opened>;

/// A name for an open file itself.
pub(crate) fn name(file: &OwnedFd) -> PathBuf {
    Path::new("/proc/self/fd").join(file.as_raw_fd().to_string())
}

/// Everything that the order names and that is there. Of two kinds the later one holds.
///
/// # Errors
/// There is a link now where there was none when the order was given.
pub(crate) fn all(order: &Order) -> Result<Places> {
    let mut opened = Places::new();
    for (paths, kind) in [
        (&order.data, data_kind(order)),
        (&order.read, Kind::Read),
        (&order.write, Kind::Write),
    ] {
        for path in paths {
            if let Some(file) = one(path)? {
                opened.insert(path.clone(), Opened { kind, file });
            }
        }
    }
    Ok(opened)
}

/// None: it is not there.
fn one(path: &Path) -> Result<Option<OwnedFd>> {
    match below(Path::new("/"), path) {
        Ok(file) => Ok(Some(file)),
        Err(why) if is_absent(&why) => Ok(None),
        Err(source) => Err(Error::Place {
            path: path.into(),
            source: changed(source),
        }),
    }
}

fn changed(why: io::Error) -> io::Error {
    match why.raw_os_error() == Some(nix::libc::ELOOP) {
        true => io::Error::other("somebody has just put a link on the way to it"),
        false => why,
    }
}

fn data_kind(order: &Order) -> Kind {
    match order.has(Part::Landlock) {
        true => Kind::Data,
        false => Kind::Read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_comes_meanwhile_is_named_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap().join("place");
        assert!(one(&place).unwrap().is_none());
        std::fs::create_dir(&place).unwrap();
        assert!(one(&place).unwrap().is_some());
        std::fs::remove_dir(&place).unwrap();
        std::os::unix::fs::symlink("/etc", &place).unwrap();
        let refused = one(&place).unwrap_err().to_string();
        assert!(refused.contains("just put a link"), "{refused}");
    }
}
