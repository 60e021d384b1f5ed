//! Merges the fragments that are ready in a database's folder, in the order in which they were written, and prints the
//! nanoseconds of each merge.
//!
//! `merge FOLDER PROPOSAL RUN each|all`

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use runledger_context::run::RunId;
use runledger_storage::fragment::{self, Fragment, ready_fragments};
use runledger_storage::run_file;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [folder, proposal, run, how] => match merge(folder.as_ref(), proposal, run, how) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: merge FOLDER PROPOSAL RUN each|all");
            ExitCode::FAILURE
        }
    }
}

fn merge(
    folder: &Path,
    proposal: &str,
    run: &str,
    how: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let run = RunId::new(proposal.parse()?, run.parse()?);
    let ready = ready_fragments(folder, Some(run))?;
    let at_once = if how == "all" { ready.len() } else { 1 };
    for some in ready.chunks(at_once.max(1)) {
        let began = Instant::now();
        merge_some(folder, run, some)?;
        println!("{}", began.elapsed().as_nanos());
    }
    Ok(())
}

/// As the combiner does it.
fn merge_some(folder: &Path, run: RunId, fragments: &[Fragment]) -> runledger_storage::Result<()> {
    let _one_writer = run_file::lock(folder, run)?;
    run_file::merge(folder, run, fragments)?;
    fragments.iter().try_for_each(fragment::remove)
}
