//! `migrate`: what is told of a database, bringing it to the present format, and going back.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use runledger_migrations::RUNS;
use runledger_storage::migrate::{
    Format, LATEST, Problem, check, check_run_file, copies, plan, restore, upgrade,
};
use runledger_storage::{Database, Error};
use support::{answers, as_ordinary_user, database, number, of_format, run, sql};
use tempfile::TempDir;

const NO_PATIENCE: Duration = Duration::ZERO;

/// A folder with a database of format `version` that has one run and one cell.
fn old(version: usize) -> TempDir {
    let folder = of_format(version);
    sql(folder.path())
        .execute_batch(
            "INSERT INTO variables (name) VALUES ('x');
         INSERT INTO run_variables (proposal, run, name, version, value) VALUES (1234, 1, 'x', 1, 2.5);
         DROP VIEW runs; CREATE VIEW runs AS SELECT 1 AS proposal, 1 AS run, 1 AS start_time, 1 AS added_at, 1 AS x;
         DROP VIEW max_diffs; CREATE VIEW max_diffs AS SELECT 1 AS proposal, 1 AS run, 1 AS x;",
        )
    .unwrap();
    folder
}

fn bytes(folder: &TempDir) -> Vec<u8> {
    fs::read(folder.path().join("runs.sqlite")).unwrap()
}

fn entries(folder: &TempDir) -> usize {
    fs::read_dir(folder.path()).unwrap().count()
}

#[test]
fn a_plan_tells_the_steps_and_the_copy_and_changes_nothing() {
    for version in 1..=RUNS.steps.len() {
        let folder = old(version);
        let before = bytes(&folder);
        let plan = plan(folder.path()).unwrap();
        let found = u32::try_from(version).unwrap();
        assert_eq!(plan.format, Format::Numbered(found));
        assert_eq!(plan.steps, RUNS.steps[version..]);
        assert_eq!(plan.copy.is_some(), found < LATEST);
        assert!(check(folder.path()).unwrap().is_empty());
        assert_eq!((bytes(&folder), entries(&folder)), (before, 1));
    }
}

#[test]
fn a_newer_database_is_refused_with_its_version_and_not_touched() {
    let folder = old(4);
    sql(folder.path())
        .execute_batch("UPDATE metameta SET value = 9 WHERE key = 'data_format_version'")
        .unwrap();
    let before = bytes(&folder);
    let refused = [
        plan(folder.path()).unwrap_err(),
        upgrade(folder.path(), NO_PATIENCE).unwrap_err(),
        check(folder.path()).unwrap_err(),
    ];
    for refused in refused {
        assert!(matches!(refused, Error::NewerDatabase { found: 9, .. }));
    }
    assert_eq!((bytes(&folder), entries(&folder)), (before, 1));
}

#[test]
fn an_upgrade_goes_on_under_a_program_that_has_the_database_open() {
    let folder = old(1);
    let other = sql(folder.path());
    let count = |sql: &str| -> u32 { other.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM run_variables"), 1);
    let upgraded = upgrade(folder.path(), NO_PATIENCE).unwrap();
    assert_eq!(upgraded.steps.len(), 3);
    assert_eq!(count("SELECT count(*) FROM tags"), 0);
    other
        .execute_batch("UPDATE run_variables SET attributes = '{}'")
        .unwrap();
    let again = upgrade(folder.path(), NO_PATIENCE).unwrap();
    assert_eq!(again, runledger_storage::migrate::Upgrade::default());
}

#[test]
fn what_can_only_be_read_is_not_upgraded() {
    as_ordinary_user("what_can_only_be_read_is_not_upgraded", || {
        let folder = old(2);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
        let refused = upgrade(folder.path(), NO_PATIENCE).unwrap_err();
        assert!(
            matches!(refused, Error::DatabaseReadOnly { .. }),
            "{refused}"
        );
        assert_eq!(plan(folder.path()).unwrap().steps.len(), 2);
        assert!(check(folder.path()).unwrap().is_empty());
        let database = Database::open(folder.path()).unwrap();
        assert_eq!(database.table(None).unwrap().rows.len(), 1);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    });
}

#[test]
fn a_check_tells_each_thing_that_is_wrong() {
    for (harm, told) in [
        (
            "DELETE FROM run_info",
            "1 cells belong to runs that are not in the table, such as p1234 r1",
        ),
        ("DELETE FROM variables", "cells of x are in no client's"),
        ("INSERT INTO tags (name) VALUES ('loose')", "1 tags belong"),
        (
            "INSERT INTO variable_tags VALUES ('gone', 7)",
            "1 tags belong",
        ),
        (
            "INSERT INTO run_info (proposal, run) VALUES (1234, 'seven')",
            "1 rows of run_info have",
        ),
        (
            "INSERT INTO run_variables (proposal, run, name) VALUES (1234, 1, 7)",
            "1 rows of run_variables have",
        ),
        (
            "INSERT INTO variables (name) VALUES ('y')",
            "the view runs lacks y",
        ),
        ("DROP VIEW max_diffs", "the view max_diffs, which"),
        (
            "DROP TABLE time_comments",
            "the table time_comments, which is missing",
        ),
        (
            "UPDATE metameta SET value = 1 WHERE key = 'data_format_version'",
            "an upgrade to v2 was interrupted",
        ),
    ] {
        let folder = old(4);
        let conn = sql(folder.path());
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        conn.execute_batch(harm).unwrap();
        let problems = check(folder.path()).unwrap();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            texts.iter().any(|text| text.contains(told)),
            "{harm}: {texts:?}"
        );
    }
}

#[test]
fn a_check_names_run_files_that_cannot_be_read_and_those_of_unknown_runs() {
    let folder = old(4);
    let results = folder.path().join("extracted_data");
    fs::create_dir(&results).unwrap();
    fs::write(
        results.join("p1234_r1.h5"),
        b"\x89HDF\r\n\x1a\n and then nothing",
    )
    .unwrap();
    hdf5_metno::File::create(results.join("p1234_r8.h5")).unwrap();
    fs::write(
        results.join("p1234_r1.ab.ready.h5"),
        "a fragment's business",
    )
    .unwrap();
    let problems = check(folder.path()).unwrap();
    let [Problem::FileWithoutRun(other)] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    assert!(other.ends_with("p1234_r8.h5"));
    let look = |number| check_run_file(folder.path(), run(number), Format::Numbered(LATEST));
    let refused = look(1).unwrap_err();
    assert!(refused.to_string().contains("p1234_r1.h5"), "{refused}");
    assert!(!look(8).unwrap().changes());
    fs::create_dir(results.join("p1234_r9.h5")).unwrap();
    std::os::unix::fs::symlink("p1234_r8.h5", results.join("p1234_r10.h5")).unwrap();
    for number in [9, 10] {
        let refused = look(number).unwrap_err();
        assert!(refused.to_string().ends_with("it is no file"), "{refused}");
    }
}

#[test]
fn a_damaged_database_is_told_as_such() {
    let folder = old(4);
    let path = folder.path().join("runs.sqlite");
    let mut damaged = bytes(&folder);
    // The root of the table of runs: the second page is the first table's.
    damaged[4096..4200].fill(0xff);
    fs::write(&path, damaged).unwrap();
    let problems = check(folder.path()).unwrap();
    assert!(
        matches!(problems.first(), Some(Problem::Damaged(_))),
        "{problems:?}"
    );
}

#[test]
fn a_copy_brings_the_database_back_and_what_it_was_is_kept() {
    let folder = old(2);
    let mut database = Database::open(folder.path()).unwrap();
    let _ = database
        .save_cells(run(2), &[number("y", 1.0)], Some(1.0), "me")
        .unwrap();
    let [copy] = &copies(folder.path()).unwrap()[..] else {
        panic!("one copy")
    };
    assert_eq!(copy.format, Format::Numbered(2));
    let other = sql(folder.path());
    let restored = restore(folder.path(), &copy.path, NO_PATIENCE).unwrap();
    assert_eq!(restored.format, Format::Numbered(2));
    assert_eq!(plan(folder.path()).unwrap().format, Format::Numbered(2));
    let runs = "SELECT count(*) FROM run_info";
    let count: u32 = other.query_row(runs, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1, "who has it open sees what it is now");
    let kept = rusqlite::Connection::open(&restored.kept).unwrap();
    let count: u32 = kept.query_row(runs, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
    assert_eq!(upgrade(folder.path(), NO_PATIENCE).unwrap().steps.len(), 2);
}

#[test]
fn a_database_in_use_is_not_brought_back_and_stays_as_it_is() {
    let folder = old(2);
    drop(Database::open(folder.path()).unwrap());
    let copy = folder.path().join("runs.v2-backup.sqlite");
    let other = sql(folder.path());
    other
        .execute_batch("BEGIN; SELECT * FROM run_info")
        .unwrap();
    let refused = restore(folder.path(), &copy, NO_PATIENCE).unwrap_err();
    assert!(matches!(refused, Error::DatabaseBusy { .. }), "{refused}");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(
        plan(folder.path()).unwrap().format,
        Format::Numbered(LATEST)
    );
}

#[test]
fn a_damaged_database_is_kept_whole_beside_the_one_that_is_brought_back() {
    let folder = old(3);
    drop(Database::open(folder.path()).unwrap());
    let path = folder.path().join("runs.sqlite");
    fs::write(&path, "not a database at all").unwrap();
    let copy = folder.path().join("runs.v3-backup.sqlite");
    let restored = restore(folder.path(), &copy, NO_PATIENCE).unwrap();
    assert_eq!(
        fs::read_to_string(&restored.kept).unwrap(),
        "not a database at all"
    );
    assert_eq!(
        answers(folder.path(), "SELECT value FROM run_variables"),
        [["Real(2.5)"]]
    );
}

#[test]
fn what_is_no_copy_is_refused_and_the_database_stays() {
    let (folder, database) = database();
    drop(database);
    let before = bytes(&folder);
    for (name, content) in [("text.sqlite", "hello"), ("empty.sqlite", "")] {
        let copy = folder.path().join(name);
        fs::write(&copy, content).unwrap();
        let refused = restore(folder.path(), &copy, NO_PATIENCE).unwrap_err();
        assert!(matches!(refused, Error::NotADatabase { .. }), "{refused}");
    }
    assert_eq!(bytes(&folder), before);
    assert!(copies(folder.path()).unwrap().is_empty());
}
