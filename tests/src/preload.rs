//! Libraries that are loaded into programs under test, before their own, and answer in the system's place.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Finished;
use crate::real_part::needs;

/// Compiles a library of `tests/preload/` into `folder`; None where there is no C compiler.
///
/// # Panics
/// The compiler refuses it.
pub fn preload(name: &str, folder: &Path) -> Option<PathBuf> {
    if !needs("cc", "gcc") {
        return None;
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("preload");
    let library = folder.join(format!("{name}.so"));
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library);
    compile.arg(sources.join(format!("{name}.c"))).arg("-ldl");
    Finished::of(&mut compile).succeeded();
    Some(library)
}
