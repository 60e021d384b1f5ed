//! Why a file of results cannot be read or written, in words for people: HDF5 tells where in its own memory it was.

/// The reason in a few words, where it is one that has nothing to do with HDF5.
pub(crate) fn plain_words(reason: &str) -> &str {
    if reason.contains("unable to lock file") {
        return "another program writes into it, or has not closed it";
    }
    between(reason, "error message = '", "'").unwrap_or(reason)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refused_is_told_and_hdf5s_own_reasons_stay() {
        let said = plain_words;
        let locked = "H5Fopen(): unable to synchronously open file: unable to lock file, errno = 11, \
                      error message = 'Resource temporarily unavailable'";
        assert!(said(locked).contains("another program"));
        let refused = "H5Fopen(): unable to open file: name = 'p1_r1.h5', errno = 13, error message = \
                       'Permission denied', flags = 0, o_flags = 0";
        assert_eq!(said(refused), "Permission denied");
        let full = "H5Dwrite(): can't write data: file write failed: time = Sat Nov 21 12:00:00 2026\n, filename = \
                    '/proc/self/fd/8/p1_r1.a.writing.h5', file descriptor = 9, errno = 28, error message = 'No space left \
                    on device', buf = 0x7fde, total write size = 4096, bytes this sub-write = 4096, offset = 0";
        assert_eq!(said(full), "No space left on device");
        let torn = "H5Fopen(): unable to synchronously open file: file signature not found";
        assert_eq!(said(torn), torn);
    }
}
