//! What the machine's kernel offers for a sandbox.

use crate::process::{Finished, command, runledger};
use crate::real_part::missing;

/// Whether the kernel has these parts of a sandbox. If not, as [`needs`](crate::needs).
///
/// # Panics
/// What it has cannot be found out.
pub fn needs_sandbox(parts: &[&str]) -> bool {
    let check = Finished::of(&mut command(&runledger(), &["sandbox", "check", "--json"]));
    let offer: serde_json::Value = serde_json::from_str(&check.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}\n{}", check.stdout, check.stderr));
    let tried = offer["parts"].as_array().expect("a list of parts");
    let lacking = tried.iter().find_map(|tried| {
        let part = tried["parts"][0].as_str()?;
        let why = tried["missing"].as_str()?;
        parts.contains(&part).then(|| format!("{part}: {why}"))
    });
    lacking.is_none_or(|lacking| missing(&format!("the kernel does not have {lacking}")))
}
