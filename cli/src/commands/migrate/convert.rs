//! `migrate v0-to-v1` and `migrate intermediate-v1`.

use std::collections::BTreeMap;
use std::path::Path;

use runledger_context::run::RunId;
use runledger_storage::migrate::{self, Conversion, Converted, Format, LATEST, PATIENCE, Survey};

use super::crew::Crew;
use super::report;
use crate::failure::{Failure, Result};

/// What was found out about each run's file, and those of which nothing could be.
type Found = (BTreeMap<RunId, Survey>, BTreeMap<RunId, String>);

/// Brings the database in `dir` from a format of before the steps to the present one, or tells what that would do.
pub(super) fn run(dir: &Path, from: Format, dry_run: bool) -> Result {
    let crew = Crew { dir, from };
    match dry_run {
        true => tell(dir, &crew),
        false => convert(dir, &crew),
    }
}

fn tell(dir: &Path, crew: &Crew<'_>) -> Result {
    let plan = migrate::plan(dir)?;
    if plan.format != crew.from {
        return Err(runledger_storage::Error::NotOfFormat {
            path: plan.path,
            found: plan.format,
            wanted: crew.from,
        }
        .into());
    }
    super::print_plan(&plan);
    let (surveys, failures) = look(dir, crew)?;
    print(dir, &surveys)?;
    println!("Nothing was changed.");
    all_well(&failures, "could not be read")
}

fn convert(dir: &Path, crew: &Crew<'_>) -> Result {
    let conversion = Conversion::begin(dir, crew.from, PATIENCE)?;
    let (mut surveys, mut failures) = look(dir, crew)?;
    let changing: Vec<RunId> = surveys
        .iter()
        .filter(|(_, survey)| survey.changes())
        .map(|(run, _)| *run)
        .collect();
    conversion.make_sure_of_room(changing.iter().copied())?;
    print(dir, &surveys)?;
    let (_, unconverted) = sorted(crew.each(&changing, true)?);
    let count = changing.len() - unconverted.len();
    failures.extend(unconverted);
    for run in failures.keys() {
        // Its time is known all the same.
        surveys.entry(*run).or_default();
    }
    let done = conversion.finish(&surveys)?;
    print_done(&done, crew.from, count);
    all_well(&failures, "stay as they are")
}

fn look(dir: &Path, crew: &Crew<'_>) -> Result<Found> {
    let runs = migrate::runs_with_files(dir)?;
    Ok(sorted(crew.each(&runs, false)?))
}

fn sorted(answers: BTreeMap<RunId, std::result::Result<Survey, String>>) -> Found {
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

fn print_done(done: &Converted, from: Format, files: usize) {
    println!(
        "The database had format {from} and has v{LATEST} now: {} runs, {} cells; {files} run files were converted.",
        done.counts.runs, done.counts.cells
    );
    println!(
        "The table is kept as it was in {}, the run files in extracted_data/{}-backup; \
         remove both when you are content. `migrate --restore {}` goes back.",
        done.copy.display(),
        from.in_file_names(),
        done.copy.file_name().unwrap_or_default().to_string_lossy()
    );
}

fn all_well(failures: &BTreeMap<RunId, String>, what: &str) -> Result {
    if failures.is_empty() {
        return Ok(());
    }
    for (run, why) in failures {
        println!("{run}: {why}");
    }
    Err(Failure::partly(format!(
        "{} run files {what}; the rest is done",
        failures.len()
    ))
    .hint("what can be mended: go back with `migrate --restore`, mend it, and migrate again"))
}
