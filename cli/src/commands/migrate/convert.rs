//! `migrate v0-to-v1` and `migrate intermediate-v1`.

use std::collections::BTreeMap;
use std::path::Path;

use runledger_context::run::RunId;
use runledger_storage::migrate::{
    self, Conversion, Converted, Format, LATEST, PATIENCE, Plan, Survey,
};

use super::crew::Crew;
use super::{report, stragglers};
use crate::arguments::Task;
use crate::failure::{Failure, Result};

/// What was found out about each run's file, and those of which nothing could be.
pub(super) type Found = (BTreeMap<RunId, Survey>, BTreeMap<RunId, String>);

/// Brings the database in `dir` from a format of before the steps to the present one, or tells what that would do. If it
/// has that already, the run files that are left.
pub(super) fn run(dir: &Path, from: Format, dry_run: bool) -> Result {
    let plan = migrate::plan(dir)?;
    if plan.format == Format::Numbered(LATEST) && migrate::came_from(dir, from)? {
        return stragglers::run(dir, from, dry_run);
    }
    let crew = Crew { dir, from };
    match dry_run {
        true => tell(dir, &crew, &plan),
        false => convert(dir, &crew),
    }
}

fn tell(dir: &Path, crew: &Crew<'_>, plan: &Plan) -> Result {
    migrate::foresee(dir, crew.from, [])?;
    super::print_plan(plan);
    let (surveys, failures) = look(dir, crew)?;
    print(dir, &surveys)?;
    let changing = changing(&surveys);
    if !changing.is_empty() {
        println!(
            "{} be converted; the originals would be kept in {}.",
            report::files(changing.len(), "would", "would"),
            originals_of(crew.from)
        );
    }
    migrate::make_sure_of_room(dir, changing)?;
    println!("Nothing was changed.");
    all_well(&failures, crew.from, WOULD_STAY)
}

fn convert(dir: &Path, crew: &Crew<'_>) -> Result {
    let conversion = Conversion::begin(dir, crew.from, PATIENCE)?;
    let (mut surveys, mut failures) = look(dir, crew)?;
    let changing = changing(&surveys);
    migrate::make_sure_of_room(dir, changing.iter().copied())?;
    print(dir, &surveys)?;
    let (converted, unconverted) = sorted(crew.each(&changing, Task::Convert)?);
    failures.extend(unconverted);
    for run in failures.keys() {
        // Its time is known all the same.
        surveys.insert(*run, Survey::unread());
    }
    let done = conversion.finish(&surveys)?;
    print_done(&done, crew.from, converted.len(), failures.is_empty());
    all_well(&failures, crew.from, STAY)
}

/// The runs whose files are to change.
pub(super) fn changing(surveys: &BTreeMap<RunId, Survey>) -> Vec<RunId> {
    let changing = surveys.iter().filter(|(_, survey)| survey.changes());
    changing.map(|(run, _)| *run).collect()
}

/// Looks at all run files.
pub(super) fn look(dir: &Path, crew: &Crew<'_>) -> Result<Found> {
    let runs = migrate::runs_with_files(dir)?;
    Ok(sorted(crew.each(&runs, Task::Survey)?))
}

/// What could be found out, and what could not.
pub(super) fn sorted(answers: BTreeMap<RunId, std::result::Result<Survey, String>>) -> Found {
    let mut found = Found::default();
    for (run, answer) in answers {
        match answer {
            Ok(survey) => drop(found.0.insert(run, survey)),
            Err(why) => drop(found.1.insert(run, why)),
        }
    }
    found
}

fn print(dir: &Path, surveys: &BTreeMap<RunId, Survey>) -> Result {
    for line in report::findings(surveys) {
        println!("{line}");
    }
    let without = migrate::runs_without_file(dir)?;
    if !without.is_empty() {
        println!(
            "Without a file of results, so that nothing is known of when their cells were written: {}.",
            report::runs(&without)
        );
    }
    Ok(())
}

fn originals_of(from: Format) -> String {
    format!("extracted_data/{}-backup", from.in_file_names())
}

fn print_done(done: &Converted, from: Format, files: usize, all: bool) {
    println!(
        "The database had format {from} and has v{LATEST} now: {} runs, {} cells; {} converted.",
        done.counts.runs,
        done.counts.cells,
        report::files(files, "was", "were")
    );
    let keep = match all {
        true => "remove both when you are content",
        false => "keep both until the rest is converted, too",
    };
    println!(
        "The table is kept as it was in {}, the run files in {}; {keep}. `migrate --restore {}` goes back.",
        done.copy.display(),
        originals_of(from),
        done.copy.file_name().unwrap_or_default().to_string_lossy()
    );
}

/// What becomes of files that cannot be converted, of one and of several.
pub(super) const STAY: (&str, &str) = (
    "stays as it is; the rest is done",
    "stay as they are; the rest is done",
);
/// What would become of them.
pub(super) const WOULD_STAY: (&str, &str) = (
    "cannot be read, and would stay as it is",
    "cannot be read, and would stay as they are",
);

/// Fails in part if there were failures, which are named.
pub(super) fn all_well(
    failures: &BTreeMap<RunId, String>,
    from: Format,
    (one, several): (&str, &str),
) -> Result {
    if failures.is_empty() {
        return Ok(());
    }
    for (run, why) in failures {
        println!("{run}: {why}");
    }
    let again = match from {
        Format::Wide => "v0-to-v1",
        _ => "intermediate-v1",
    };
    let failure = Failure::partly(report::files(failures.len(), one, several));
    Err(failure.hint(format!(
        "mend what can be mended, and end who has it open; `runledger migrate {again}` then takes up what is left"
    )))
}
