//! Adding objects to a file that others read meanwhile.
//!
//! Everything new is written behind the file's end, below a root group of its own that has links to what stays of
//! the old one. Nobody sees any of it until the superblock names the new end and the new root.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_metno::globals::H5P_FILE_ACCESS;
use hdf5_metno::{File, Group};
use hdf5_metno_sys::h5f::{H5F_ACC_RDWR, H5Fopen};
use hdf5_metno_sys::h5g::H5Gcreate_anon;
use hdf5_metno_sys::h5o::H5Oincr_refcount;
use hdf5_metno_sys::h5p::{H5P_DEFAULT, H5Pcreate};

use super::copying::{Composer, copy_link};
use super::disk::Disk;
use super::driver::{self, Shared};
use super::handle::{Handle, c_string, call};
use super::netcdf::reference;
use super::overlay::Overlay;
use super::{Outcome, words};

/// New content of a file, while it is made.
pub(crate) struct Addition {
    overlay: Shared,
    /// The root as it is now.
    old: Group,
    /// The root that will take its place.
    pub(crate) composer: Composer,
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
        let root = new_root(&file)?;
        Ok(Self {
            overlay,
            old,
            composer: Composer::of(file, root, next_dimension),
        })
    }

    /// Lets the new root have the same link as the old one at `path`: to an object in the file, or to another place.
    pub(crate) fn keep(&self, path: &str) -> Outcome {
        copy_link(&self.old, self.composer.root(), path, path)
    }

    /// Writes all of it.
    pub(crate) fn close(self) -> Outcome<Written> {
        let root = reference(self.composer.root(), ".")?;
        drop(self.old);
        self.composer.close()?;
        let overlay = Arc::into_inner(self.overlay).ok_or("a part of the file is still open")?;
        let overlay = overlay.into_inner().unwrap_or_else(PoisonError::into_inner);
        match overlay.trouble {
            Some(why) => Err(why),
            None => Ok(Written {
                disk: overlay.disk,
                root,
                end: overlay.end,
            }),
        }
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

/// A group that no link leads to, but that stays: a superblock will.
fn new_root(file: &File) -> Outcome<Group> {
    let id = call!(
        "a group",
        H5Gcreate_anon(file.id(), H5P_DEFAULT, H5P_DEFAULT)
    )?;
    // SAFETY: the identifier is new, and a group's.
    let root: Group = unsafe { hdf5_metno::from_id(id) }.map_err(words)?;
    call!("a group", H5Oincr_refcount(root.id()))?;
    Ok(root)
}
