//! Why a run's file cannot be opened, in words for people: HDF5 tells where in its own memory it was.

/// The reason in a few words, where it is one that has nothing to do with HDF5.
pub(super) fn plain_words(reason: String) -> String {
    if reason.contains("unable to lock file") {
        return "another program writes into it, or has not closed it".into();
    }
    match between(&reason, "error message = '", "'") {
        Some(of_the_system) => of_the_system.into(),
        None => reason,
    }
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
        let said = |reason: &str| plain_words(reason.into());
        let locked = "H5Fopen(): unable to synchronously open file: unable to lock file, errno = 11, \
                      error message = 'Resource temporarily unavailable'";
        assert!(said(locked).contains("another program"));
        let refused = "H5Fopen(): unable to open file: name = 'p1_r1.h5', errno = 13, error message = \
                       'Permission denied', flags = 0, o_flags = 0";
        assert_eq!(said(refused), "Permission denied");
        let torn = "H5Fopen(): unable to synchronously open file: file signature not found";
        assert_eq!(said(torn), torn);
    }
}
