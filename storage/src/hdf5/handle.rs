//! An identifier of the HDF5 library that is given back.

use std::ffi::CString;

use hdf5_metno::sync::sync;
use hdf5_metno_sys::h5i::{H5Idec_ref, hid_t};

use super::Outcome;

/// Runs one call of the library under its lock; a negative answer is a failure.
macro_rules! call {
    ($what:expr, $call:expr) => {{
        // SAFETY: the identifiers come from live handles and the pointers from values that outlive the call;
        // the library's lock is held.
        let answer = hdf5_metno::sync::sync(|| unsafe { $call });
        if answer < 0 { Err($crate::hdf5::handle::failed($what)) } else { Ok(answer) }
    }};
}
pub(super) use call;

/// The library's own words for what just failed.
pub(super) fn failed(what: &str) -> String {
    match hdf5_metno::Error::query() {
        Ok(error) => format!("{what}: {error}"),
        Err(_) => what.to_owned(),
    }
}

/// An identifier of ours.
pub(super) struct Handle(hid_t);

impl Handle {
    /// Takes over what a call of the library gave.
    pub(super) fn of(answer: Outcome<hid_t>) -> Outcome<Self> {
        answer.map(Self)
    }

    /// For calls of the library.
    pub(super) fn id(&self) -> hid_t {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the identifier is ours, and is given back once.
        sync(|| unsafe { H5Idec_ref(self.0) });
    }
}

/// A name as the library takes it.
pub(super) fn c_string(text: &str) -> Outcome<CString> {
    CString::new(text)
        .map_err(|_| format!("{text:?} has a NUL character, which HDF5 cannot store in a text"))
}
