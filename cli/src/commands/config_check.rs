//! `config check`.

use std::path::Path;

use crate::config;
use crate::failure::{Failure, Result};

/// Tells everything that is wrong with the configuration.
pub(super) fn run(asked: Option<&Path>, dir: &Path) -> Result {
    let file = config::file(asked, dir);
    let loaded = config::load(file.as_deref()).map_err(Failure::new)?;
    let mut problems = config::problems(&loaded);
    problems.extend(config::exposed(&loaded, file.as_deref()));
    let name = file.map_or_else(
        || "the built-in configuration (no file was found)".to_owned(),
        |path| path.display().to_string(),
    );
    if problems.is_empty() {
        println!("{name} is sound");
        return Ok(());
    }
    let list: String = problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect();
    Err(Failure::new(format!(
        "{name} has {} to be mended:{list}",
        count(problems.len())
    )))
}

fn count(problems: usize) -> String {
    match problems {
        1 => "one thing".into(),
        n => format!("{n} things"),
    }
}
