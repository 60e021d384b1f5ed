//! The real `damnit` client, and other Python programs, as a second opinion.

use std::path::PathBuf;

use crate::process::Finished;
use crate::real_part::missing;

/// The interpreter that has the packages `damnit[backend,gui]==0.4.0` and `kafka-python`.
///
/// # Panics
/// `./x test` names it; without that, there is nothing to compare with.
pub fn python() -> PathBuf {
    std::env::var_os("RUNLEDGER_TEST_PYTHON")
        .map(PathBuf::from)
        .expect(
            "RUNLEDGER_TEST_PYTHON names a Python with damnit[backend,gui]==0.4.0; `./x test` sets it",
        )
}

/// One of the Python programs in `tests/python/`.
pub fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(name)
}

/// Whether DAMNIT's window can be opened. If not, as [`needs`](crate::needs).
pub fn needs_window() -> bool {
    let mut import = std::process::Command::new(python());
    import.args(["-c", "import damnit.gui.main_window"]);
    let tried = Finished::of(import.env("QT_QPA_PLATFORM", "offscreen"));
    let why = tried.stderr.lines().last().unwrap_or_default();
    tried.code == Some(0) || missing(&format!("DAMNIT's window cannot be opened: {why}"))
}
