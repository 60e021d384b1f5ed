//! Filled databases of every past format, made by `past/make.py`: what becomes of them in our hands, and in DAMNIT's.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use runledger_context::run::RunId;
use runledger_migrations::{LATEST, RUNS};
use runledger_storage::migrate::{
    Conversion, Format, Survey, check, convert_run_file, plan, restore, runs_with_files,
    survey_run_file,
};
use runledger_storage::{Database, Error};
use serde_json::json;
use support::{answers, ask, python, shape, sql};
use tempfile::TempDir;

/// A folder with a database of this format, and its run files.
fn past(python: &Path, format: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/past/make.py");
    let made = Command::new(python)
        .arg(script)
        .arg(format)
        .arg(folder.path())
        // The order of the views' columns depends on it.
        .env("PYTHONHASHSEED", "1")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "no database of format {format} can be made: {errors}"
    );
    folder
}

/// The same in another folder, with the files' times.
fn copied(folder: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut command = Command::new("cp");
    command.arg("-a").arg(folder.path().join("."));
    assert!(command.arg(copy.path()).status().unwrap().success());
    copy
}

/// What DAMNIT makes of the database in `folder` by opening it.
fn open_with_damnit(python: &Path, folder: &Path) {
    let script = "from pathlib import Path
from damnit.backend.db import DamnitDB
DamnitDB(Path('runs.sqlite')); print('true')";
    ask(python, folder, script);
}

/// Everything in the tables that two databases can have in common.
fn rows(folder: &Path) -> Vec<Vec<Vec<String>>> {
    [
        "run_info",
        "run_variables",
        "variables",
        "tags",
        "variable_tags",
        "time_comments",
        "metameta WHERE key <> 'db_id'",
    ]
    .map(|table| {
        let mut rows = answers(folder, &format!("SELECT * FROM {table}"));
        rows.sort();
        rows
    })
    .into()
}

#[test]
fn every_past_format_is_upgraded_to_what_damnit_upgrades_it_to() {
    let Some(python) = python() else { return };
    for step in RUNS.steps {
        let format = step.version.to_string();
        let ours = past(&python, &format);
        let theirs = copied(&ours);
        let database = Database::open(ours.path()).unwrap();
        assert_eq!(database.version(), LATEST);
        assert_eq!(database.table(None).unwrap().rows.len(), 4);
        open_with_damnit(&python, theirs.path());
        let shapes = [ours.path(), theirs.path()].map(|folder| shape(&sql(folder)));
        assert_eq!(shapes[0], shapes[1], "from format {format}");
        assert_eq!(rows(ours.path()), rows(theirs.path()));
    }
}

#[test]
fn a_copy_as_it_was_is_kept_of_every_past_format() {
    let Some(python) = python() else { return };
    for step in RUNS.steps {
        let folder = past(&python, &step.version.to_string());
        let before = (shape(&sql(folder.path())), content(&folder, "runs.sqlite"));
        Database::open(folder.path()).unwrap();
        let copy = format!("runs.v{}-backup.sqlite", step.version);
        if step.version == LATEST {
            assert!(!folder.path().join(copy).exists());
            continue;
        }
        let kept = rusqlite::Connection::open(folder.path().join(&copy)).unwrap();
        assert_eq!(before, (shape(&kept), content(&folder, &copy)));
    }
}

/// All cells of a database file in a folder.
fn content(folder: &TempDir, file: &str) -> Vec<String> {
    let conn = rusqlite::Connection::open(folder.path().join(file)).unwrap();
    let query = "SELECT proposal, run, name, quote(value) FROM run_variables ORDER BY 1, 2, 3";
    let mut statement = conn.prepare(query).unwrap();
    let cells = statement.query_map([], |row| {
        let place: (u32, u32, String, String) = row.try_into()?;
        Ok(format!("{place:?}"))
    });
    cells.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn the_client_reads_an_upgraded_database_and_its_run_files() {
    let Some(python) = python() else { return };
    for step in RUNS.steps {
        let folder = past(&python, &step.version.to_string());
        Database::open(folder.path()).unwrap();
        let read = ask(
            &python,
            folder.path(),
            "import json
from damnit import Damnit
db = Damnit('.')
print(json.dumps([db[1, 'energy'].summary(), db[1, 'spectrum'].read().dims, db[3, 'energy'].read()]))",
        );
        assert_eq!(read, json!([10.25, ["pulse", "channel"], 12.25]));
    }
}

/// Migrates the database in `folder` as the command line does. Returns what was found in each run's file.
fn convert(folder: &Path, from: Format) -> BTreeMap<RunId, Survey> {
    let conversion = Conversion::begin(folder, from, Duration::ZERO).unwrap();
    let runs = runs_with_files(folder).unwrap();
    let surveys = runs
        .iter()
        .map(|run| (*run, survey_run_file(folder, *run, from).unwrap()))
        .collect();
    for run in runs {
        convert_run_file(folder, run, from).unwrap();
    }
    conversion.finish(&surveys).unwrap();
    surveys
}

/// What differs between ours and DAMNIT's migration of the same database.
fn differences(python: &Path, format: &str, from: Format, command: &str) -> Vec<String> {
    let ours = past(python, format);
    let theirs = copied(&ours);
    convert(ours.path(), from);
    let script = "import sys
from damnit.cli import main
main(['migrate', sys.argv[1]])";
    run(python, &["-c", script, command], theirs.path());
    let compare = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/past/compare.py");
    let [ours, theirs] = [ours.path(), theirs.path()].map(|path| path.to_str().unwrap());
    let said = run(python, &[compare, ours, theirs], Path::new("/"));
    serde_json::from_str(&said).unwrap()
}

/// Runs a Python script to its good end; returns what it prints.
fn run(python: &Path, arguments: &[&str], folder: &Path) -> String {
    let done = Command::new(python)
        .args(arguments)
        .current_dir(folder)
        .env("AMORE_BROKER", "none")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(done.stdout).unwrap()
}

/// Which differences are meant, by how they begin and end, and why.
type Meant = [(&'static str, &'static str, &'static str)];

const EVERYWHERE: &Meant = &[
    (
        "variables (",
        ": only ours",
        "clients read the cells of listed variables only",
    ),
    (
        "metameta ('concurrent_jobs'",
        ": only theirs",
        "settings stay what they were",
    ),
    (
        "metameta ('damnit_python'",
        ": only theirs",
        "settings stay what they were",
    ),
    (
        "run_variables (5678, 1, 'image')",
        "",
        "DAMNIT gives pictures to runs of one proposal only",
    ),
];

#[track_caller]
fn only_meant(found: &[String], meant: &Meant) {
    let is = |found: &String, (begin, end, _): &(&str, &str, &str)| {
        found.starts_with(begin) && found.ends_with(end)
    };
    let all = || EVERYWHERE.iter().chain(meant);
    let others: Vec<&String> = found
        .iter()
        .filter(|found| !all().any(|meant| is(found, meant)))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    for meant in all() {
        assert!(
            found.iter().any(|found| is(found, meant)),
            "never: {meant:?}"
        );
    }
}

#[test]
fn format_0_becomes_what_damnit_makes_of_it_apart_from_named_differences() {
    let Some(python) = python() else { return };
    let found = differences(&python, "0", Format::Wide, "v0-to-v1");
    let meant = [
        (
            "run_variables",
            "timestamp",
            "the file's time is that of before the migration",
        ),
        (
            "run_variables (5678, 1, 'figure')",
            "",
            "DAMNIT gives pictures to runs of one proposal only",
        ),
        (
            "p",
            "trace",
            "DAMNIT notes the spread in the run's file, too",
        ),
        (
            "p1234_r3",
            "square",
            "what is ambiguous is kept; DAMNIT names both dimensions alike",
        ),
    ];
    only_meant(&found, &meant);
}

#[test]
fn the_early_format_1_becomes_what_damnit_makes_of_it_apart_from_named_differences() {
    let Some(python) = python() else { return };
    let found = differences(
        &python,
        "intermediate",
        Format::Intermediate,
        "intermediate-v1",
    );
    let meant = [
        (
            "run_variables",
            "'image') timestamp",
            "a cell that is drawn anew keeps its time",
        ),
        (
            "run_variables",
            "'image') max_diff",
            "and how far its numbers spread",
        ),
        (
            "p5678_r1",
            "",
            "DAMNIT overlooks the second of two proposals that share a run number",
        ),
    ];
    only_meant(&found, &meant);
}

/// Each file in a folder and those in it, with its content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(tree(&path)),
            false => drop(files.insert(path.clone(), std::fs::read(path).unwrap())),
        }
    }
    files
}

const PAST: [(&str, Format); 2] = [("0", Format::Wide), ("intermediate", Format::Intermediate)];

#[test]
fn looking_at_a_database_of_before_the_steps_changes_nothing() {
    let Some(python) = python() else { return };
    for (format, from) in PAST {
        let folder = past(&python, format);
        let before = tree(folder.path());
        assert_eq!(plan(folder.path()).unwrap().format, from);
        for run in runs_with_files(folder.path()).unwrap() {
            let found = survey_run_file(folder.path(), run, from).unwrap();
            assert!(found.changes());
        }
        assert!(check(folder.path()).unwrap().is_empty());
        assert!(matches!(
            Database::open(folder.path()).unwrap_err(),
            Error::LegacyDatabase { .. }
        ));
        assert_eq!(tree(folder.path()), before);
    }
}

#[test]
fn what_is_ambiguous_is_told_and_kept_as_it_is() {
    let Some(python) = python() else { return };
    let folder = past(&python, "0");
    let found = convert(folder.path(), Format::Wide);
    let kept = &found[&RunId::new(1234, 3)].kept;
    assert_eq!(kept.len(), 1);
    assert!(
        kept["square"].contains("the length 4 of its coordinate x"),
        "{kept:?}"
    );
    let read = ask(
        &python,
        folder.path(),
        "import h5py, json
f = h5py.File('extracted_data/p1234_r3.h5')
print(json.dumps([sorted(f['square']), f['square/y'][()].tolist()]))",
    );
    assert_eq!(read, json!([["data", "x", "y"], [0.0, 2.0, 4.0, 6.0]]));
}

#[test]
fn an_interrupted_migration_goes_on_where_it_was() {
    let Some(python) = python() else { return };
    for (format, from) in PAST {
        let folder = past(&python, format);
        let whole = copied(&folder);
        let run = RunId::new(1234, 1);
        convert_run_file(folder.path(), run, from).unwrap();
        // As if it had been killed in the middle of the next file.
        let draft = folder.path().join("extracted_data/.p1234_r3.h5.converting");
        std::fs::write(draft, "half of it").unwrap();
        assert_eq!(plan(folder.path()).unwrap().format, from);
        convert(folder.path(), from);
        convert(whole.path(), from);
        let [found, expected] = [&folder, &whole].map(|folder| rows(folder.path()));
        assert_eq!(found, expected);
        let [found, expected] = [&folder, &whole].map(|folder| {
            let files = tree(&folder.path().join("extracted_data"));
            let name = |path: PathBuf| path.strip_prefix(folder.path()).unwrap().to_path_buf();
            files
                .into_iter()
                .map(|(path, bytes)| (name(path), bytes.len()))
                .collect::<Vec<_>>()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn a_copy_of_before_the_steps_brings_back_the_run_files_too() {
    let Some(python) = python() else { return };
    for (format, from) in PAST {
        let folder = past(&python, format);
        let results = folder.path().join("extracted_data");
        let before = (tree(&results), content_of(&folder, from));
        convert(folder.path(), from);
        let converted = tree(&results);
        let copy = format!("runs.{}-backup.sqlite", from.in_file_names());
        let restored = restore(folder.path(), &folder.path().join(copy), Duration::ZERO).unwrap();
        assert_eq!(restored.files, 3);
        let after = tree(&results);
        for (path, bytes) in &before.0 {
            assert_eq!(after.get(path), Some(bytes), "{}", path.display());
            let aside = results.join("v4-backup").join(path.file_name().unwrap());
            assert_eq!(after.get(&aside), converted.get(path));
        }
        assert_eq!(content_of(&folder, from), before.1);
        // And forth again: also what was put into a run's file after it was converted.
        let copy = folder.path().join("runs.v4-backup.sqlite");
        let restored = restore(folder.path(), &copy, Duration::ZERO).unwrap();
        assert_eq!(restored.files, 3);
        assert_eq!(tree(&results), converted);
        Database::open(folder.path()).unwrap();
    }
}

/// The rows of runs in a database of before the steps.
fn content_of(folder: &TempDir, from: Format) -> Vec<Vec<String>> {
    let table = match from {
        Format::Wide => "runs",
        _ => "run_variables",
    };
    answers(folder.path(), &format!("SELECT * FROM {table}"))
}

#[test]
fn nobody_changes_a_table_that_is_being_migrated_and_everybody_can_read_it() {
    let Some(python) = python() else { return };
    let folder = past(&python, "0");
    let conversion = Conversion::begin(folder.path(), Format::Wide, Duration::ZERO).unwrap();
    let other = sql(folder.path());
    other.busy_timeout(Duration::ZERO).unwrap();
    assert_eq!(
        answers(folder.path(), "SELECT count(*) FROM runs"),
        [["Integer(4)"]]
    );
    assert!(
        other
            .execute_batch("UPDATE runs SET comment = 'x'")
            .is_err()
    );
    let second = Conversion::begin(folder.path(), Format::Wide, Duration::ZERO).unwrap_err();
    assert!(matches!(second, Error::DatabaseBusy { .. }));
    drop(conversion);
    other
        .execute_batch("UPDATE runs SET comment = 'x'")
        .unwrap();
    let wrong = Conversion::begin(folder.path(), Format::Intermediate, Duration::ZERO).unwrap_err();
    assert!(matches!(wrong, Error::NotOfFormat { .. }));
}
