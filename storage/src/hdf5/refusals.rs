//! Whose fault a failure is, as far as HDF5's words tell.

use std::io;

use nix::libc::{EDQUOT, EIO, ENOSPC, EROFS, ESTALE};

use crate::folder::NO_FILE;

/// The system's words for a disk that is full, used up, broken, read-only, or away.
const OF_THE_DISK: [i32; 5] = [ENOSPC, EDQUOT, EIO, EROFS, ESTALE];

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

/// Whether an errno is about the disk, and not about a path or a permission.
pub(crate) fn is_errno_of_the_disk(errno: i32) -> bool {
    OF_THE_DISK.contains(&errno)
}

/// Whether the disk has refused, as far as that is told.
pub(crate) fn is_of_the_disk(reason: &str) -> bool {
    let mut told = reason.split("errno = ").skip(1).map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok())
    });
    told.any(|errno| errno.is_some_and(is_errno_of_the_disk)) || is_not_written(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_refuses_is_told_from_a_file_that_is_not_there() {
        let words =
            |errno| format!("H5Fopen(): unable to open file: errno = {errno}, error message");
        for errno in [5, 28, 30, 116, 122] {
            assert!(is_of_the_disk(&words(errno)), "{errno}");
        }
        for errno in [2, 13, 280] {
            assert!(!is_of_the_disk(&words(errno)), "{errno}");
        }
        assert!(!is_of_the_disk("file signature not found"));
    }
}
