//! A run's file that is converted after its table: cells that were written meanwhile stay as they are.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_storage::migrate::{
    Conversion, Format, Survey, came_from, complete, convert_run_file, survey_run_file,
};
use runledger_storage::{Database, Error};
use support::{answers, number, sql};
use tempfile::TempDir;

const RUN: u32 = 1;
const PNG: &str = "substr(hex(value), 1, 8) = '89504E47'";

fn dataset(file: &hdf5_metno::File, name: &str, values: &[f64], shape: (usize, usize)) {
    let dataset = file.new_dataset::<f64>();
    match shape {
        (_, 1) => dataset.shape(values.len()).create(name),
        shape => dataset.shape(shape).create(name),
    }
    .and_then(|made| made.write_raw(values))
    .unwrap();
}

/// A folder with a database of format 0, and its run's file with two lines and two pictures.
fn wide() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    sql(folder.path())
        .execute_batch(
            "CREATE TABLE runs (proposal, runnr, start_time, added_at, comment, line, other, shown, again);
             CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
             INSERT INTO runs VALUES (1234, 1, 10.5, 11, NULL, 2.5, 3.5, x'00', x'00');",
        )
        .unwrap();
    let results = folder.path().join("extracted_data");
    std::fs::create_dir(&results).unwrap();
    let file = hdf5_metno::File::create(results.join("p1234_r1.h5")).unwrap();
    for name in ["line", "other"] {
        file.create_group(name).unwrap();
        dataset(&file, &format!("{name}/data"), &[1.0, 4.0, 2.0], (3, 1));
    }
    file.create_group(".reduced").unwrap();
    for name in ["shown", "again"] {
        dataset(&file, &format!(".reduced/{name}"), &[0.5; 12], (3, 4));
    }
    file.close().unwrap();
    folder
}

/// The table alone, as if the run's file had been in use.
fn convert_table(folder: &Path) {
    let conversion = Conversion::begin(folder, Format::Wide, Duration::ZERO).unwrap();
    let unread = BTreeMap::from([(support::run(RUN), Survey::unread())]);
    conversion.finish(&unread).unwrap();
}

fn take_up(folder: &Path) -> Result<usize, Error> {
    let run: RunId = support::run(RUN);
    convert_run_file(folder, run, Format::Wide)?;
    // As the command does, and as the next one does after an interruption: from the file as it is now.
    let survey = survey_run_file(folder, run, Format::Wide)?;
    complete(
        folder,
        Format::Wide,
        &BTreeMap::from([(run, survey)]),
        Duration::ZERO,
    )
}

#[test]
fn cells_get_what_their_file_says_unless_they_were_written_since() {
    let folder = wide();
    convert_table(folder.path());
    let mut database = Database::open(folder.path()).unwrap();
    let _ = database
        .save_cells(
            support::run(RUN),
            &[number("other", 9.5)],
            None,
            "context.py",
        )
        .unwrap();
    let values =
        "SELECT value, max_diff FROM run_variables WHERE name IN ('line', 'other') ORDER BY name";
    let pictures = format!("SELECT name FROM run_variables WHERE {PNG} ORDER BY name");
    assert!(answers(folder.path(), &pictures).is_empty());
    assert_eq!(take_up(folder.path()).unwrap(), 3);
    assert_eq!(
        answers(folder.path(), values),
        [["Real(2.5)", "Real(3.0)"], ["Real(9.5)", "Null"]]
    );
    assert_eq!(
        answers(folder.path(), &pictures),
        [["Text(\"again\")"], ["Text(\"shown\")"]]
    );
    assert_eq!(take_up(folder.path()).unwrap(), 0, "there is nothing left");
}

#[test]
fn a_table_that_has_not_the_present_format_is_left_alone() {
    let folder = wide();
    assert!(!came_from(folder.path(), Format::Wide).unwrap());
    let refused = take_up(folder.path()).unwrap_err();
    assert!(matches!(refused, Error::NotOfFormat { .. }), "{refused}");
    assert_eq!(
        answers(folder.path(), "SELECT line FROM runs"),
        [["Real(2.5)"]]
    );
}

#[test]
fn what_a_database_came_from_is_known_by_its_copy_or_by_the_originals() {
    let folder = wide();
    convert_table(folder.path());
    let comes_from = |format| came_from(folder.path(), format).unwrap();
    assert!(comes_from(Format::Wide) && !comes_from(Format::Intermediate));
    std::fs::remove_file(folder.path().join("runs.v0-backup.sqlite")).unwrap();
    assert!(!comes_from(Format::Wide));
    convert_run_file(folder.path(), support::run(RUN), Format::Wide).unwrap();
    assert!(comes_from(Format::Wide));
}
