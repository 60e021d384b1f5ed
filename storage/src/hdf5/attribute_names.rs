//! The names of an object's attributes, and nothing else of them.
//!
//! The bindings also look at what the library says of each: its letters, for one, are what the file says, which need not be
//! one of the kinds that the bindings know.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use hdf5_metno::Location;
use hdf5_metno_sys::h5::{H5_index_t, H5_iter_order_t};
use hdf5_metno_sys::h5a::{H5A_info_t, H5Aiterate2};
use hdf5_metno_sys::h5i::hid_t;

use super::Outcome;
use super::handle::call;

/// Names that are no UTF-8 are given as well as they can be.
pub(crate) fn attribute_names(of: &Location) -> Outcome<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    call!(
        "the attributes of an object",
        H5Aiterate2(
            of.id(),
            H5_index_t::H5_INDEX_NAME,
            H5_iter_order_t::H5_ITER_INC,
            ptr::null_mut(),
            Some(note),
            (&raw mut found).cast()
        )
    )?;
    Ok(found)
}

unsafe extern "C" fn note(
    _object: hid_t,
    name: *const c_char,
    _info: *const H5A_info_t,
    found: *mut c_void,
) -> c_int {
    // SAFETY: the library's own name, and the list that `attribute_names` waits with.
    let (name, found) = unsafe { (CStr::from_ptr(name), &mut *found.cast::<Vec<String>>()) };
    found.push(name.to_string_lossy().into_owned());
    0
}
