//! What a context file writes down of its evaluations itself: whatever the tables say, this is what was done.

use std::collections::BTreeMap;

use crate::site::Site;

/// One variable, `energy`, which is 1.5, and a line with the run's number each time that it is evaluated.
pub const WRITES_DOWN: &str = r#"
from damnit_ctx import Variable

@Variable(title="Energy")
def energy(run):
    with open("evaluated", "a") as books:
        books.write(f"{run['run']}\n")
    return 1.5
"#;

/// How often each run was evaluated with [`WRITES_DOWN`].
///
/// # Panics
/// What stands there is no run.
pub fn evaluations(site: &Site) -> BTreeMap<u32, usize> {
    let books = std::fs::read_to_string(site.db().join("evaluated")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for run in books.lines() {
        *counts.entry(run.parse().expect("a run")).or_default() += 1;
    }
    counts
}
