//! Where a path leads, link by link: each step is taken from the open folder before it, so that nobody can change the way
//! behind it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// Longer chains of links lead nowhere.
const MOST_LINKS: usize = 40;

/// Links on the way to something, and what is written in them.
pub(crate) type Links = BTreeMap<PathBuf, PathBuf>;

/// The end of a path.
pub(crate) struct Place {
    /// Without a link.
    pub(crate) path: PathBuf,
    /// Open, neither to be read nor to be written.
    pub(crate) file: OwnedFd,
}

/// Why a path has no end.
#[derive(Debug)]
pub(crate) enum Astray {
    /// This link is not followed.
    Link { link: PathBuf, owner: u32 },
    /// The system's reason.
    System(io::Error),
}

impl From<Errno> for Astray {
    fn from(why: Errno) -> Self {
        Self::System(why.into())
    }
}

/// Where a path leads, which begins at the root; the links on its way are added to `links`. A link is followed if
/// `is_followed` says so of its folder and its owner.
pub(crate) fn follow(
    path: &Path,
    is_followed: impl Fn(&Path, u32) -> bool,
    links: &mut Links,
) -> Result<Place, Astray> {
    let mut trail = Trail::at(Path::new("/"))?;
    let mut left: VecDeque<OsString> = names(path).collect();
    let mut count = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            trail.back();
            continue;
        }
        let (file, about) = trail.look(&name)?;
        if !is_link(&about) {
            trail.go(&name, file);
            continue;
        }
        let (link, owner) = (trail.path.join(&name), about.st_uid);
        if !is_followed(&trail.path, owner) {
            return Err(Astray::Link { link, owner });
        }
        count += 1;
        if count > MOST_LINKS {
            return Err(Errno::ELOOP.into());
        }
        let target = PathBuf::from(readlinkat(&file, "")?);
        names(&target).rev().for_each(|name| left.push_front(name));
        if target.is_absolute() {
            trail = Trail::at(Path::new("/"))?;
        }
        links.insert(link, target);
    }
    Ok(trail.end())
}

/// What is at a path below a folder, without a link on the way.
pub(crate) fn below(folder: &Path, path: &Path) -> io::Result<OwnedFd> {
    let mut trail = Trail::at(folder)?;
    for name in names(path) {
        let (file, about) = trail.look(&name)?;
        if is_link(&about) {
            return Err(Errno::ELOOP.into());
        }
        trail.go(&name, file);
    }
    Ok(trail.end().file)
}

/// The folders from the first one to the present one.
struct Trail {
    path: PathBuf,
    first: OwnedFd,
    after: Vec<OwnedFd>,
}

impl Trail {
    fn at(folder: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self {
            path: folder.into(),
            first: open(folder, flags, Mode::empty())?,
            after: Vec::new(),
        })
    }

    /// What has this name here; a link is not followed. To ask for a folder has one mounted that waits for that.
    fn look(&self, name: &OsStr) -> Result<(OwnedFd, FileStat), Errno> {
        let here = self.after.last().unwrap_or(&self.first);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = match openat(here, name, flags | OFlag::O_DIRECTORY, Mode::empty()) {
            Err(Errno::ENOTDIR) => openat(here, name, flags, Mode::empty())?,
            other => other?,
        };
        let about = fstat(&file)?;
        Ok((file, about))
    }

    fn go(&mut self, name: &OsStr, file: OwnedFd) {
        self.path.push(name);
        self.after.push(file);
    }

    fn back(&mut self) {
        self.path.pop();
        self.after.pop();
    }

    fn end(mut self) -> Place {
        Place {
            path: self.path,
            file: self.after.pop().unwrap_or(self.first),
        }
    }
}

fn is_link(about: &FileStat) -> bool {
    about.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFLNK.bits()
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn a_path_is_followed_through_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(at("far/data/p1")).unwrap();
        std::fs::write(at("far/data/p1/file"), "").unwrap();
        symlink("far/data", at("near")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let mut links = Links::new();
        let mut end = |name: &str| follow(&at(name), |_, _| true, &mut links);
        let place = end("near/../data/p1").unwrap();
        assert_eq!(place.path, at("far/data/p1"));
        let inode = at("far/data/p1").metadata().unwrap().ino();
        assert_eq!(fstat(&place.file).unwrap().st_ino, inode);
        assert_eq!(end("near/p1/file").unwrap().path, at("far/data/p1/file"));
        for nowhere in ["loop", "near/p1/file/on", "missing"] {
            assert!(end(nowhere).is_err(), "{nowhere}");
        }
        assert!(links.keys().eq([&at("loop"), &at("near")]));
    }

    #[test]
    fn a_link_that_is_not_to_be_followed_is_named_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        symlink("/etc", folder.join("link")).unwrap();
        let path = folder.join("link/passwd");
        let refused = follow(&path, |_, _| false, &mut Links::new());
        let Err(Astray::Link { link, owner }) = refused else {
            panic!("it was followed");
        };
        assert_eq!(link, folder.join("link"));
        assert_eq!(owner, link.symlink_metadata().unwrap().uid());
        assert!(below(&folder, Path::new("link/passwd")).is_err());
        assert!(below(Path::new("/etc"), Path::new("passwd")).is_ok());
    }
}
