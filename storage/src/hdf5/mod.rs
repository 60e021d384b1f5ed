//! HDF5, at the rim: the one place that knows the library.
//!
//! Functions here give the library's words as the reason of a failure; their callers add the file.
// The bindings' safe part cannot write types that are known only at run time (NumPy's), nor dimension scales.
#![allow(unsafe_code)]

use std::path::Path;

use hdf5_metno::{File, FileBuilder};

mod attributes;
mod compressed;
mod copying;
mod dataset;
mod enclosed;
mod handle;
mod netcdf;
mod npy;
mod reading;
mod slabs;
mod types;

pub(crate) use attributes::{set_array, set_bool, set_f64, set_text};
pub(crate) use copying::Composer;
pub(crate) use dataset::{write_array, write_bytes, write_text, write_texts};
pub(crate) use enclosed::own_dataset;
pub(crate) use netcdf::write_netcdf;
pub(crate) use reading::{Attribute, Content, attributes, content};

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
        _ => unlocked().create_excl(path).map_err(words),
    }
}

/// Opens such a file again for writing.
pub(crate) fn reopen(path: &Path) -> Outcome<File> {
    unlocked().open_rw(path).map_err(words)
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
