//! Whose fault a failure is, as far as HDF5's words tell.

use std::io;

use crate::folder::NO_FILE;

/// What it says when the operating system does not take what is written: the disk is full, a quota is used up.
const NOT_WRITTEN: [&str; 4] = [
    "write failed",
    "No space",
    "unable to extend",
    "can't write data",
];

/// Whether something could not be written, whatever was read for it.
pub(crate) fn is_not_written(reason: &str) -> bool {
    NOT_WRITTEN.iter().any(|sign| reason.contains(sign))
}

/// Whether the operating system refused, and not HDF5: that says nothing about what a file has.
pub(crate) fn is_of_the_system(reason: &str) -> bool {
    reason.contains("errno") || reason.contains(NO_FILE) || is_not_written(reason)
}

/// The system's refusal in words that tell that it is one.
pub(super) fn in_words(why: &io::Error) -> String {
    match why.raw_os_error() {
        Some(number) => format!("{why}, errno = {number}"),
        None => why.to_string(),
    }
}
