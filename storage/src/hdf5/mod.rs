//! HDF5, at the rim: the one place that knows the library.
//!
//! Functions here give the library's words as the reason of a failure; their callers add the file.
// The bindings' safe part cannot write types that are known only at run time (NumPy's), nor dimension scales.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use hdf5_metno::plist::file_access::LibraryVersion;
use hdf5_metno::{File, FileBuilder};
use hdf5_metno_sys::h5f::{H5F_LIBVER_LATEST, H5F_libver_t};
use hdf5_metno_sys::h5i::hid_t;

use crate::folder::{open_own, open_regular, way_to};
use handle::call;

mod appending;
mod attribute_names;
mod attributes;
mod compressed;
mod copied_attributes;
mod copying;
mod dataset;
mod disk;
mod driver;
mod enclosed;
mod group_header;
mod handle;
mod links;
mod netcdf;
mod npy;
mod overlay;
mod reading;
mod refusals;
mod scalars;
mod scaled;
mod slabs;
mod superblock;
mod taking_stock;
mod types;
mod whole;

pub(crate) use appending::Addition;
pub(crate) use attributes::{set_array, set_bool, set_f64, set_text};
pub(crate) use copying::Composer;
pub(crate) use copying::is_hard_link;
pub(crate) use dataset::{write_array, write_bytes, write_text, write_texts};
pub(crate) use disk::Disk;
#[cfg(test)]
pub(crate) use disk::Effect;
pub(crate) use enclosed::{own_dataset, own_group};
pub(crate) use links::{Link, links};
pub(crate) use netcdf::write_netcdf;
pub(crate) use reading::{Attribute, Content, attributes, content};
pub(crate) use refusals::{is_errno_of_the_disk, is_not_written, is_of_the_disk, is_of_the_system};
pub(crate) use scalars::kind;
pub(crate) use scaled::has_scales;
pub(crate) use superblock::Superblock;
pub(crate) use taking_stock::{Stock, take_stock};
pub(crate) use whole::{array, values};

/// What a function of this module gives: the failure in the library's words.
pub(crate) type Outcome<T = ()> = std::result::Result<T, String>;

/// The attribute by which clients know what an object was in Python.
pub(crate) const OBJTYPE: &str = "_damnit_objtype";

/// A new file that nobody else opens before it has its final name.
///
/// It has no lock: the library's file descriptors pass to child processes, so a lock would last as long as any
/// process that was started meanwhile, and keep readers from the finished file. What an earlier one left at `path`
/// goes; a link there, which may lead out of the folder, is not followed.
pub(crate) fn create(path: &Path) -> Outcome<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => {
            let file = oldest().create_excl(path).map_err(words)?;
            use_groups_of_1_8(file.id())?;
            Ok(file)
        }
    }
}

/// With the oldest kind of superblock: the one in which single numbers can be exchanged.
fn oldest() -> FileBuilder {
    let mut options = unlocked();
    options.with_fapl(|access| {
        access.libver_bounds(LibraryVersion::Earliest, LibraryVersion::latest())
    });
    options
}

/// What is made from here on may have long attributes, which the oldest kind of object cannot hold.
fn use_groups_of_1_8(file: hid_t) -> Outcome {
    let (low, high) = (H5F_libver_t::H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    call!("library versions", H5Fset_libver_bounds(file, low, high)).map(drop)
}

unsafe extern "C" {
    /// Which the bindings lack.
    fn H5Fset_libver_bounds(file: hid_t, low: H5F_libver_t, high: H5F_libver_t) -> c_int;
}

/// Opens such a file again for writing.
pub(crate) fn reopen(path: &Path) -> Outcome<File> {
    by_descriptor(path, open_own, |way| unlocked().open_rw(way))
}

/// Opens a file that somebody else may have made for reading.
pub(crate) fn open(path: &Path) -> Outcome<File> {
    by_descriptor(path, open_regular, |way| File::open(way))
}

/// The library follows links and waits for pipes: it is given what was opened and looked at.
fn by_descriptor(
    path: &Path,
    look: impl FnOnce(&Path) -> io::Result<std::fs::File>,
    open: impl FnOnce(&Path) -> hdf5_metno::Result<File>,
) -> Outcome<File> {
    let opened = look(path).map_err(|why| refusals::in_words(&why))?;
    let way = way_to(opened.as_raw_fd());
    let named = |words: String| words.replace(&*way.to_string_lossy(), &path.to_string_lossy());
    open(&way).map_err(|error| named(words(error)))
}

/// Opens a file whose content is exchanged in place, for reading.
///
/// Through the library's second driver: with its first one, a handle of this process to the same file, if there is one,
/// would lend what it knows of the content, which may be an old one.
pub(crate) fn open_apart(path: &Path) -> Outcome<File> {
    let mut options = File::with_options();
    options.with_fapl(|access| access.stdio());
    by_descriptor(path, open_regular, |way| options.open(way))
}

/// Whether a file can be read: all its objects are where the file says they are.
pub(crate) fn try_reading(path: &Path) -> Outcome {
    let file = open(path)?;
    let mut stock = Stock::default();
    for name in file.member_names().map_err(words)? {
        take_stock(&mut stock, &file, &name)?;
    }
    Ok(())
}

fn unlocked() -> FileBuilder {
    let mut options = File::with_options();
    options.with_fapl(|access| access.file_locking(false));
    options
}

/// The library's words for a failure of its safe bindings.
pub(crate) fn words(error: hdf5_metno::Error) -> String {
    error.to_string()
}
