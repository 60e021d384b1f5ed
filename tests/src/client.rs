//! The real `damnit` client, and other Python programs, as a second opinion.

use std::path::PathBuf;

/// The interpreter that has the packages `damnit[backend]==0.4.0` and `kafka-python`.
///
/// # Panics
/// `./x test` names it; without that, there is nothing to compare with.
pub fn python() -> PathBuf {
    std::env::var_os("RUNLEDGER_TEST_PYTHON")
        .map(PathBuf::from)
        .expect(
            "RUNLEDGER_TEST_PYTHON names a Python with damnit[backend]==0.4.0; `./x test` sets it",
        )
}

/// One of the Python programs in `tests/python/`.
pub fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(name)
}
