//! Old databases with something odd about them: nothing is lost, and what cannot be done is said.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_migrations::RUNS;
use runledger_storage::migrate::{
    Conversion, Format, Problem, check, foresee, make_sure_of_room, plan, survey_run_file, upgrade,
};
use runledger_storage::{Database, Error};
use support::{answers, database, of_format, shape, sql};
use tempfile::TempDir;

/// A folder with a database of format 0 with two runs.
fn wide() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    sql(folder.path())
        .execute_batch(
            "CREATE TABLE runs (proposal, runnr, start_time, added_at, comment, x);
             CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
             CREATE TABLE variables (name TEXT PRIMARY KEY NOT NULL, type TEXT, title TEXT, description TEXT, attributes TEXT);
             CREATE TABLE time_comments (timestamp, comment);
             INSERT INTO runs VALUES (1234, 1, 10.5, 11, NULL, 2.5), (1234, 2, 20.5, 21, 'odd', 'text');",
        )
        .unwrap();
    folder
}

fn convert(folder: &Path) -> Result<(), Error> {
    let conversion = Conversion::begin(folder, Format::Wide, Duration::ZERO)?;
    conversion.finish(&Default::default()).map(drop)
}

fn bytes(folder: &TempDir) -> Vec<u8> {
    fs::read(folder.path().join("runs.sqlite")).unwrap()
}

const FOREIGN: &str = "
    CREATE TABLE cats (name TEXT UNIQUE); INSERT INTO cats VALUES ('Tom');
    CREATE INDEX by_name ON cats (name);
    CREATE VIEW tomcats AS SELECT name FROM cats";

#[test]
fn tables_of_other_programs_stay_as_they_are() {
    let (numbered, before) = (of_format(1), wide());
    for folder in [&numbered, &before] {
        sql(folder.path()).execute_batch(FOREIGN).unwrap();
    }
    upgrade(numbered.path(), Duration::ZERO).unwrap();
    convert(before.path()).unwrap();
    for folder in [&numbered, &before] {
        let cats = answers(folder.path(), "SELECT name FROM tomcats");
        assert_eq!(cats, [["Text(\"Tom\")"]]);
        assert!(check(folder.path()).unwrap().is_empty());
        assert_eq!(Database::open(folder.path()).unwrap().version(), 4);
    }
}

#[test]
fn whatever_an_interrupted_upgrade_of_damnit_left_is_finished() {
    let (new, _) = database();
    let wanted = shape(&sql(new.path()));
    for version in 1..4 {
        for further in version + 1..=4 {
            let folder = of_format(version);
            for step in &RUNS.steps[version..further] {
                sql(folder.path()).execute_batch(step.sql).unwrap();
            }
            upgrade(folder.path(), Duration::ZERO).unwrap();
            let found = shape(&sql(folder.path()));
            assert_eq!(found, wanted, "v{version}, changed up to v{further}");
        }
    }
}

#[test]
fn a_version_of_the_wrong_type_is_told_and_nothing_is_changed() {
    for (value, told) in [
        ("'three'", "the text \"three\""),
        ("3.5", "the real number 3.5"),
        ("NULL", "null"),
        ("x'03'", "1 bytes"),
        ("-1", "-1"),
    ] {
        let folder = of_format(3);
        let set = format!("UPDATE metameta SET value = {value} WHERE key = 'data_format_version'");
        sql(folder.path()).execute_batch(&set).unwrap();
        let before = bytes(&folder);
        for refused in [
            plan(folder.path()).unwrap_err(),
            upgrade(folder.path(), Duration::ZERO).unwrap_err(),
            check(folder.path()).unwrap_err(),
            Database::open(folder.path()).unwrap_err(),
        ] {
            assert!(refused.to_string().contains(told), "{refused}");
        }
        assert_eq!(bytes(&folder), before);
    }
}

#[test]
fn a_version_that_is_the_text_of_a_number_is_upgraded_from_as_damnit_does() {
    for version in 1..=RUNS.steps.len() {
        let folder = of_format(version);
        let set =
            format!("UPDATE metameta SET value = '{version}' WHERE key = 'data_format_version'");
        sql(folder.path()).execute_batch(&set).unwrap();
        let steps = upgrade(folder.path(), Duration::ZERO).unwrap().steps;
        assert_eq!(steps, RUNS.steps[version..]);
        assert_eq!(Database::open(folder.path()).unwrap().version(), 4);
    }
}

#[test]
fn a_write_ahead_log_that_another_program_keeps_open_does_not_keep_others_out() {
    let folder = of_format(2);
    let other = sql(folder.path());
    other.pragma_update(None, "journal_mode", "wal").unwrap();
    let runs = "SELECT count(*) FROM run_info";
    let count = |conn: &rusqlite::Connection| -> u32 {
        conn.query_row(runs, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&other), 1);
    let database = Database::open_with_timeout(folder.path(), Duration::ZERO).unwrap();
    assert_eq!(database.version(), 4);
    other
        .execute_batch("INSERT INTO run_info VALUES (1234, 7, 1, 1)")
        .unwrap();
    assert_eq!(database.table(None).unwrap().rows.len(), 2);
    drop((other, database));
    // Nobody has it open any more: the log goes.
    drop(Database::open(folder.path()).unwrap());
    let mode: String = sql(folder.path())
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete");
}

#[test]
fn what_a_crash_left_in_a_write_ahead_log_is_upgraded_and_copied_too() {
    let (crashed, living) = (tempfile::tempdir().unwrap(), of_format(2));
    let conn = sql(living.path());
    conn.pragma_update(None, "journal_mode", "wal").unwrap();
    conn.execute_batch("INSERT INTO run_info VALUES (1234, 7, 1, 1)")
        .unwrap();
    for name in ["runs.sqlite", "runs.sqlite-wal"] {
        fs::copy(living.path().join(name), crashed.path().join(name)).unwrap();
    }
    let log = || fs::read(crashed.path().join("runs.sqlite-wal")).unwrap();
    let before = (bytes(&crashed), log());
    assert_eq!(plan(crashed.path()).unwrap().format, Format::Numbered(2));
    assert!(check(crashed.path()).unwrap().is_empty());
    assert_eq!((bytes(&crashed), log()), before);
    let copy = upgrade(crashed.path(), Duration::ZERO).unwrap().copy;
    let runs = "SELECT count(*) FROM run_info";
    assert_eq!(answers(crashed.path(), runs), [["Integer(2)"]]);
    let copy = rusqlite::Connection::open(copy.unwrap()).unwrap();
    let count: u32 = copy.query_row(runs, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
    let mode: String = copy
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete", "a copy is one file");
}

#[test]
fn a_look_leaves_no_write_ahead_log_where_there_was_none() {
    let folder = of_format(2);
    let conn = sql(folder.path());
    conn.pragma_update(None, "journal_mode", "wal").unwrap();
    conn.close().unwrap();
    let before = bytes(&folder);
    assert_eq!(plan(folder.path()).unwrap().steps.len(), 2);
    assert!(check(folder.path()).unwrap().is_empty());
    assert_eq!(bytes(&folder), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn values_of_any_type_in_the_wide_table_go_over_as_they_are() {
    let folder = wide();
    sql(folder.path())
        .execute_batch("INSERT INTO runs VALUES ('p', 'seven', NULL, NULL, 5, x'00ff')")
        .unwrap();
    convert(folder.path()).unwrap();
    let cells = answers(
        folder.path(),
        "SELECT run, name, value FROM run_variables ORDER BY typeof(run), run, name",
    );
    let expected = [
        ["Integer(1)", "Text(\"x\")", "Real(2.5)"],
        ["Integer(2)", "Text(\"comment\")", "Text(\"odd\")"],
        ["Integer(2)", "Text(\"x\")", "Text(\"text\")"],
        ["Text(\"seven\")", "Text(\"comment\")", "Integer(5)"],
        ["Text(\"seven\")", "Text(\"x\")", "Blob([0, 255])"],
    ];
    assert_eq!(cells, expected);
    assert!(check(folder.path()).unwrap().iter().any(|problem| matches!(
        problem,
        Problem::WrongTypes {
            table: "run_info",
            count: 1
        }
    )));
}

#[test]
fn a_run_that_is_there_twice_is_named_before_anything_is_changed() {
    let folder = wide();
    sql(folder.path())
        .execute_batch("INSERT INTO runs VALUES (1234, 2, 30.5, 31, NULL, 4)")
        .unwrap();
    let before = bytes(&folder);
    let problems = check(folder.path()).unwrap();
    assert!(
        matches!(problems.as_slice(), [Problem::Twice(_)]),
        "{problems:?}"
    );
    let foreseen = foresee(folder.path(), Format::Wide, []).unwrap_err();
    assert!(matches!(foreseen, Error::RunTwice { .. }), "{foreseen}");
    let refused = convert(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("run 2 of proposal 1234"), "{refused}");
    assert_eq!(bytes(&folder), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn nothing_is_begun_without_room_for_the_new_files() {
    let folder = wide();
    let results = folder.path().join("extracted_data");
    fs::create_dir(&results).unwrap();
    let runs = [1, 2, 3].map(|number| RunId::new(1234, number));
    for run in runs {
        // Of any size, without taking any space.
        let file = fs::File::create(results.join(format!("p1234_r{}.h5", run.number.0))).unwrap();
        file.set_len(1 << 43).unwrap();
    }
    let refused = make_sure_of_room(folder.path(), runs).unwrap_err();
    assert!(matches!(refused, Error::NoRoom { .. }), "{refused}");
    make_sure_of_room(folder.path(), []).unwrap();
    let foreseen = foresee(folder.path(), Format::Wide, runs).unwrap_err();
    assert!(matches!(foreseen, Error::NoRoom { .. }), "{foreseen}");
}

#[test]
fn a_link_to_another_file_is_not_followed() {
    let folder = wide();
    let results = folder.path().join("extracted_data");
    fs::create_dir(&results).unwrap();
    let secret = hdf5_metno::File::create(folder.path().join("secret.h5")).unwrap();
    let numbers = [1.0, 2.0, 3.0];
    let given = secret.new_dataset_builder().with_data(&numbers);
    given.create("numbers").unwrap();
    secret.close().unwrap();
    let file = hdf5_metno::File::create(results.join("p1234_r1.h5")).unwrap();
    let group = file.create_group("x").unwrap();
    group
        .new_dataset_builder()
        .with_data(&numbers)
        .create("data")
        .unwrap();
    group
        .link_external("../secret.h5", "numbers", "label")
        .unwrap();
    file.close().unwrap();
    let found = survey_run_file(folder.path(), RunId::new(1234, 1), Format::Wide).unwrap();
    assert!(found.arrays.is_empty());
    assert!(found.kept["x"].contains("is a link"), "{:?}", found.kept);
}
