//! HDF5, at the rim: the one place that knows the library.
//!
//! Functions here give the library's words as the reason of a failure; their callers add the file.
// The bindings' safe part cannot write types that are known only at run time (NumPy's), nor dimension scales.
#![allow(unsafe_code)]

mod attributes;
mod copying;
mod dataset;
mod handle;
mod netcdf;
mod reading;
mod types;

pub(crate) use attributes::{set_array, set_bool, set_f64, set_text};
pub(crate) use copying::Composer;
pub(crate) use dataset::{write_array, write_bytes, write_text, write_texts};
pub(crate) use netcdf::write_netcdf;
pub(crate) use reading::{Attribute, Content, attributes, content};

/// What a function of this module gives: the failure in the library's words.
pub(crate) type Outcome<T = ()> = std::result::Result<T, String>;

/// The attribute by which clients know what an object was in Python.
pub(crate) const OBJTYPE: &str = "_damnit_objtype";

/// The library's words for a failure of its safe bindings.
pub(crate) fn words(error: hdf5_metno::Error) -> String {
    error.to_string()
}
