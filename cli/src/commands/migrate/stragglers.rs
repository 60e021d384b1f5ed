//! Run files that could not be converted along with their table: somebody had them open, say.

use std::collections::BTreeMap;
use std::path::Path;

use runledger_context::run::RunId;
use runledger_storage::migrate::{self, Format, LATEST, PATIENCE, Survey};

use super::convert::{STAY, WOULD_STAY, all_well, changing, look, sorted};
use super::crew::Crew;
use super::report::{files, findings};
use crate::arguments::Task;
use crate::failure::Result;

/// The format of before the steps that the database in `dir`, which has the present one, was brought to it from.
pub(super) fn past_of(dir: &Path) -> Result<Option<Format>> {
    for from in [Format::Wide, Format::Intermediate] {
        if migrate::came_from(dir, from)? {
            return Ok(Some(from));
        }
    }
    Ok(None)
}

/// Converts what is left of the run files of a database that was brought from a format of before the steps to the present
/// one, and tells the table of them; or tells what that would do.
pub(super) fn run(dir: &Path, from: Format, dry_run: bool) -> Result {
    let crew = Crew { dir, from };
    let (surveys, mut failures) = look(dir, &crew)?;
    let old = changing(&surveys);
    print_plan(dir, from, &surveys, &old)?;
    migrate::make_sure_of_room(dir, old.iter().copied())?;
    if dry_run {
        println!("Nothing was changed.");
        return all_well(&failures, from, WOULD_STAY);
    }
    let (done, unconverted) = sorted(crew.each(&old, Task::Convert)?);
    if !done.is_empty() {
        println!("Now {} converted, too.", files(done.len(), "is", "are"));
    }
    failures.extend(unconverted);
    // Of all of them: what was interrupted may have converted files that the table does not know of.
    let surveys = surveys.into_iter().chain(done).collect();
    migrate::complete(dir, from, &surveys, PATIENCE)?;
    all_well(&failures, from, STAY)
}

fn print_plan(
    dir: &Path,
    from: Format,
    surveys: &BTreeMap<RunId, Survey>,
    old: &[RunId],
) -> Result {
    let path = migrate::plan(dir)?.path;
    let path = path.display();
    if old.is_empty() {
        println!("{path} has format v{LATEST}: nothing is to be done.");
        return Ok(());
    }
    println!(
        "{path} has format v{LATEST} since it was brought to it from {from}; {} still to be converted.",
        files(old.len(), "is", "are")
    );
    for line in findings(surveys.iter().filter(|(run, _)| old.contains(run))) {
        println!("{line}");
    }
    Ok(())
}
