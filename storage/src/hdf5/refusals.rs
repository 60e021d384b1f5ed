//! Whose fault a failure is, as far as HDF5's words tell.

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
    reason.contains("errno") || is_not_written(reason)
}
