//! Asking before something is changed or removed.

use std::io::{IsTerminal, Write};

use crate::failure::{Failure, Result};

/// Whether a person agrees; `yes`: they have done so already.
///
/// # Errors
/// There is nobody to ask.
pub(crate) fn agrees(question: &str, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "nothing is done: there is no terminal to ask on ({question})"
        ))
        .hint("add --yes"));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let asked = std::io::stderr()
        .flush()
        .and_then(|()| std::io::stdin().read_line(&mut answer));
    asked.map_err(|e| Failure::new(format!("no answer can be read: {e}")))?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
