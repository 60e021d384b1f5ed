//! A fragment that turns up when newer results are merged already: what they replaced stays replaced.

use std::collections::HashMap;

use runledger_context::run::RunId;
use runledger_storage::fragment;
use tracing::info;

use super::merging::Found;
use crate::Result;
use crate::ledger::Ledger;

/// Takes the variables out of the fragments of which the run has newer values.
///
/// # Errors
/// The ledger or a fragment cannot be read or written.
pub(super) fn take_out(ledger: &Ledger, run: RunId, fragments: &mut [Found]) -> Result<()> {
    let oldest = fragments.iter().map(|found| found.written_at);
    let Some(oldest) = oldest.reduce(f64::min) else {
        return Ok(());
    };
    let newer: HashMap<String, f64> = ledger.merged_after(run, oldest)?.into_iter().collect();
    if newer.is_empty() {
        return Ok(());
    }
    for found in fragments {
        trim(found, &newer)?;
    }
    Ok(())
}

fn trim(found: &mut Found, newer: &HashMap<String, f64>) -> Result<()> {
    let written_at = found.written_at;
    let is_stale = |name: &str| newer.get(name).is_some_and(|newer| *newer > written_at);
    let rows = found.summaries.rows.iter();
    let stale: Vec<&str> = rows
        .map(|(name, _)| name.as_str())
        .filter(|name| is_stale(name))
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    let (run, file) = (found.fragment.run, found.fragment.path.display());
    info!(
        proposal = run.proposal.0,
        run = run.number.0,
        "newer values are kept of {}, which {file} has too",
        stale.join(", ")
    );
    fragment::trim(&found.fragment, &stale)?;
    found.summaries.rows.retain(|(name, _)| !is_stale(name));
    Ok(())
}
