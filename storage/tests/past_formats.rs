//! Filled databases of every past format, made by `past/make.py`: what becomes of them in our hands, and in DAMNIT's.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use runledger_migrations::{LATEST, RUNS};
use runledger_storage::Database;
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
        let (ours, theirs) = (past(&python, &format), past(&python, &format));
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
