//! Adding objects to a file that others read meanwhile.
//!
//! Everything new is written behind the file's end, below a root group of its own that has links to what stays of
//! the old one. Nobody sees any of it until the superblock names the new end and the new root.
//!
//! The library writes what is new, in groups of its own. Copies of their headers get the links to what stays.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_metno::globals::{H5P_FILE_ACCESS, H5P_GROUP_CREATE};
use hdf5_metno::{File, Group};
use hdf5_metno_sys::h5f::{H5F_ACC_RDWR, H5Fopen};
use hdf5_metno_sys::h5g::H5Gcreate_anon;
use hdf5_metno_sys::h5o::H5Oincr_refcount;
use hdf5_metno_sys::h5p::{H5P_DEFAULT, H5Pcreate, H5Pset_link_phase_change};

use super::copying::{Composer, copy_link};
use super::disk::Disk;
use super::driver::{self, Shared};
use super::group_header::with_links;
use super::handle::{Handle, c_string, call};
use super::links::Link;
use super::netcdf::reference;
use super::overlay::Overlay;
use super::{Outcome, words};

/// As many links as a group can have in its header.
const MANY: u32 = u16::MAX as u32;

/// New content of a file, while it is made.
pub(crate) struct Addition {
    overlay: Shared,
    /// The root as it is now.
    old: Group,
    /// What is new in the root that will take its place.
    pub(crate) composer: Composer,
    /// What stays, by group: the root has no name.
    kept: BTreeMap<String, Vec<Link>>,
}

/// New content of a file that is written; the file's superblock says nothing of it.
pub(crate) struct Written {
    /// The file.
    pub(crate) disk: Disk,
    /// Where the new root group is.
    pub(crate) root: u64,
    /// Where the new content ends.
    pub(crate) end: u64,
}

impl Addition {
    /// Begins new content of the file on `disk`, which `path` names and whose content ends at `end`. Numbers of dimensions
    /// go on from `next_dimension`.
    pub(crate) fn begin(path: &Path, disk: Disk, end: u64, next_dimension: i32) -> Outcome<Self> {
        let overlay = Overlay::new(disk, end).map_err(|error| error.to_string())?;
        let overlay = Arc::new(Mutex::new(overlay));
        let file = open(path, &overlay)?;
        let old = file.as_group().map_err(words)?;
        let root = new_group(&file)?;
        Ok(Self {
            overlay,
            old,
            composer: Composer::of(file, root, next_dimension),
            kept: BTreeMap::new(),
        })
    }

    /// Makes a group below the new root.
    pub(crate) fn make_group(&mut self, name: &str) -> Outcome {
        let group = new_group(&self.old)?;
        self.composer.add_group(name, group);
        Ok(())
    }

    /// Lets the new root have the same link as the old one at `path`: to an object in the file, or to another place.
    pub(crate) fn keep(&mut self, path: &str, link: &Link) -> Outcome {
        if link.object.is_none() {
            let (group, name) = self.composer.group_of(path)?;
            return copy_link(&self.old, group, path, name);
        }
        let group = path.rsplit_once('/').map_or("", |(group, _)| group);
        self.kept
            .entry(group.to_owned())
            .or_default()
            .push(link.clone());
        Ok(())
    }

    /// Writes all of it.
    pub(crate) fn close(self) -> Outcome<Written> {
        let root = reference(self.composer.root(), ".")?;
        let groups = self.composer.groups().iter();
        let groups = groups.map(|(name, group)| Ok((name.clone(), reference(group, ".")?)));
        let groups = groups.collect::<Outcome<Vec<_>>>()?;
        drop(self.old);
        self.composer.close()?;
        let overlay = Arc::into_inner(self.overlay).ok_or("a part of the file is still open")?;
        let overlay = overlay.into_inner().unwrap_or_else(PoisonError::into_inner);
        match overlay.trouble {
            Some(why) => Err(why),
            None => join(overlay, root, groups, self.kept),
        }
    }
}

/// Writes the groups with what is new in them and what stays, then the root.
fn join(
    overlay: Overlay,
    root: u64,
    groups: Vec<(String, u64)>,
    mut kept: BTreeMap<String, Vec<Link>>,
) -> Outcome<Written> {
    let mut written = Written {
        disk: overlay.disk,
        root,
        end: overlay.end,
    };
    let mut of_root = kept.remove("").unwrap_or_default();
    for (name, at) in groups {
        let links = kept.remove(&name).unwrap_or_default();
        let object = written.write_group(at, &links)?;
        of_root.push(Link::to(name, object));
    }
    written.root = written.write_group(root, &of_root)?;
    Ok(written)
}

impl Written {
    /// Writes the group at `at` once more, with more links, and says where.
    fn write_group(&mut self, at: u64, more: &[Link]) -> Outcome<u64> {
        let header = with_links(&self.disk, at, more)?;
        let place = self.end;
        let written = self.disk.write(place, &header);
        written.map_err(|error| error.to_string())?;
        self.end += header.len() as u64;
        Ok(place)
    }
}

fn open(path: &Path, overlay: &Shared) -> Outcome<File> {
    let access = Handle::of(call!("properties", H5Pcreate(*H5P_FILE_ACCESS)))?;
    driver::set(access.id(), overlay)?;
    let name = c_string(path.to_str().ok_or("the path is no UTF-8")?)?;
    let id = call!("opening", H5Fopen(name.as_ptr(), H5F_ACC_RDWR, access.id()))?;
    // SAFETY: the identifier is new, and a file's.
    unsafe { hdf5_metno::from_id(id) }.map_err(words)
}

/// A group with all of its links in its header, that no link leads to, but that stays.
fn new_group(file: &Group) -> Outcome<Group> {
    let how = Handle::of(call!("properties", H5Pcreate(*H5P_GROUP_CREATE)))?;
    call!("properties", H5Pset_link_phase_change(how.id(), MANY, MANY))?;
    let id = call!("a group", H5Gcreate_anon(file.id(), how.id(), H5P_DEFAULT))?;
    // SAFETY: the identifier is new, and a group's.
    let root: Group = unsafe { hdf5_metno::from_id(id) }.map_err(words)?;
    call!("a group", H5Oincr_refcount(root.id()))?;
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::super::links::links;
    use super::super::superblock::Superblock;
    use super::*;

    /// More than a group has in its header elsewhere, and than one part of a header that the library makes has.
    const COUNT: usize = 300;

    /// A file with a group, objects, links to other places, and attributes of which many are apart from the root's header.
    fn file_of_many(path: &Path) {
        let file = super::super::create(path).unwrap();
        let group = file.create_group(".reduced").unwrap();
        for number in 0..COUNT {
            let name = format!("größe {number} {}", "x".repeat(number));
            file.create_group(&name).unwrap();
            group.create_group(&name).unwrap();
            let about = file
                .new_attr::<u64>()
                .create(format!("about {number}").as_str());
            about.unwrap().write_scalar(&(number as u64)).unwrap();
        }
        file.link_soft("/.reduced", "elsewhere").unwrap();
        file.link_external("other.h5", "/x", "abroad").unwrap();
    }

    /// Keeps all that is there, and adds `new` new groups beside it.
    fn add(path: &Path, new: usize) {
        let disk = Disk::open(path).unwrap();
        let mut superblock = Superblock::of(&disk).unwrap().unwrap();
        let mut addition = Addition::begin(path, disk, superblock.end(), 0).unwrap();
        let old = super::super::open_apart(path).unwrap();
        addition.composer.take_attributes(&old).unwrap();
        addition.make_group(".reduced").unwrap();
        for link in links(&old.group(".reduced").unwrap()).unwrap() {
            addition
                .keep(&format!(".reduced/{}", link.name), &link)
                .unwrap();
        }
        for link in links(&old).unwrap() {
            if link.name != ".reduced" {
                addition.keep(&link.name, &link).unwrap();
            }
        }
        for number in 0..new {
            let name = format!("new {number}");
            addition.composer.root().create_group(&name).unwrap();
        }
        let mut written = addition.close().unwrap();
        superblock.set_end(&mut written.disk, written.end).unwrap();
        superblock
            .set_root(&mut written.disk, written.root)
            .unwrap();
    }

    fn names(group: &Group) -> Vec<String> {
        let links = links(group).unwrap().into_iter();
        let mut names: Vec<_> = links.map(|link| link.name).collect();
        names.sort();
        names
    }

    #[test]
    fn all_links_and_attributes_are_there_however_many_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.h5");
        file_of_many(&path);
        let (before, inner) = {
            let file = File::open(&path).unwrap();
            (names(&file), names(&file.group(".reduced").unwrap()))
        };
        let new = 40;
        add(&path, new);
        let file = File::open(&path).unwrap();
        let (added, kept): (Vec<_>, _) = names(&file)
            .into_iter()
            .partition(|name| name.starts_with("new"));
        assert_eq!((added.len(), kept), (new, before));
        assert_eq!(names(&file.group("elsewhere").unwrap()), inner);
        assert_eq!(file.attr_names().unwrap().len(), COUNT);
        let last = file.attr("about 299").unwrap().read_scalar::<u64>();
        assert_eq!(last.unwrap(), 299);
        for name in &inner {
            assert!(file.group(name).unwrap().is_empty(), "{name}");
            assert!(file.group(&format!(".reduced/{name}")).is_ok(), "{name}");
        }
    }

    #[test]
    fn another_program_can_change_such_a_group_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.h5");
        file_of_many(&path);
        add(&path, 1);
        let expected = {
            let file = super::super::reopen(&path).unwrap();
            let mut names = names(&file);
            for gone in names.drain(5..).collect::<Vec<_>>() {
                file.unlink(&gone).unwrap();
            }
            file.create_group("z").unwrap();
            [names, vec!["z".into()]].concat()
        };
        add(&path, 0);
        let file = File::open(&path).unwrap();
        assert_eq!(names(&file), expected);
    }
}
