//! What a job had finished that was killed while nobody watched over it.

use std::path::Path;

use runledger_context::run::RunId;
use runledger_context::value::Failure;
use runledger_storage::fragment;
use tracing::{debug, info, warn};

/// Completes the fragments of jobs that are known to be dead; the variable that was running gets the reason. One
/// that died in the middle of a write stays where it is: people may want to look at it.
pub(super) fn hand_in(database_dir: &Path) {
    fragment::forget_drafts(database_dir);
    for (writing, run) in fragment::abandoned(database_dir) {
        complete(&writing, run);
    }
}

fn complete(writing: &Path, run: RunId) {
    let running = fragment::running(writing).map(|name| (name, died()));
    let running: Vec<_> = running.into_iter().collect();
    match fragment::salvage_unseen(writing, &running) {
        Ok(_) => info!(
            proposal = run.proposal.0,
            run = run.number.0,
            "its job died unseen; what it had finished is merged"
        ),
        Err(why) if why.is_transient() => warn!(
            proposal = run.proposal.0,
            run = run.number.0,
            "its job died unseen, and what it had finished waits: {why}"
        ),
        Err(why) => debug!(
            proposal = run.proposal.0,
            run = run.number.0,
            "its job died unseen, and what it left cannot be read: {why}"
        ),
    }
}

fn died() -> Failure {
    Failure {
        class: "JobDied".into(),
        message:
            "the job did not finish: its process vanished unseen while this variable was evaluated"
                .into(),
    }
}
