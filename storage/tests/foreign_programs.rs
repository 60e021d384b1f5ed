//! An old database that other programs have open while it is brought to the present format, or back.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runledger_storage::migrate::{Conversion, Format, plan, restore, upgrade};
use runledger_storage::{Database, Error};
use support::{answers, of_format, python, sql};
use tempfile::TempDir;

const NO_PATIENCE: Duration = Duration::ZERO;

/// Has the database open, and has read it.
const OPEN: &str = "SELECT * FROM metameta";
/// Is in the middle of reading.
const READING: &str = "BEGIN; SELECT * FROM metameta";
/// Is in the middle of a change.
const WRITING: &str = "BEGIN IMMEDIATE; INSERT INTO time_comments VALUES (1, 2)";
/// Lets nobody else in.
const ALONE: &str = "BEGIN EXCLUSIVE";

/// Another program that has the database open, until it is dropped.
struct Holder(Child);

impl Holder {
    fn of(folder: &Path, python: &Path, statements: &str) -> Self {
        let script = "import sqlite3, sys
conn = sqlite3.connect('runs.sqlite', isolation_level=None)
for statement in sys.argv[1].split(';'):
    conn.execute(statement).fetchall()
print('held', flush=True)
sys.stdin.read()";
        let mut child = Command::new(python)
            .args(["-c", script, statements])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "held");
        Self(child)
    }

    #[track_caller]
    fn is_named_in(&self, refused: &Error) {
        let named = format!("process {}", self.0.id());
        assert!(refused.is_transient());
        assert!(refused.to_string().contains(&named), "{refused}");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with a database of format 0 with one run.
fn wide() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    sql(folder.path())
        .execute_batch(
            "CREATE TABLE runs (proposal, runnr, start_time, added_at, comment, x);
             CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
             CREATE TABLE time_comments (timestamp, comment);
             INSERT INTO runs VALUES (1234, 1, 10.5, 11, NULL, 2.5);",
        )
        .unwrap();
    folder
}

fn convert(folder: &Path) -> Result<(), Error> {
    let conversion = Conversion::begin(folder, Format::Wide, NO_PATIENCE)?;
    conversion.finish(&Default::default()).map(drop)
}

/// What is in the folder, but for the journal of a program that was killed.
fn entries(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with("-journal")).collect()
}

#[test]
fn a_program_that_holds_the_database_is_named_and_the_upgrade_can_be_tried_again() {
    let Some(python) = python() else { return };
    for held in [READING, WRITING, ALONE] {
        let folder = of_format(2);
        let holder = Holder::of(folder.path(), &python, held);
        let refused = upgrade(folder.path(), NO_PATIENCE).unwrap_err();
        holder.is_named_in(&refused);
        let opened = Database::open_with_timeout(folder.path(), NO_PATIENCE);
        holder.is_named_in(&opened.map(drop).unwrap_err());
        drop(holder);
        assert_eq!(plan(folder.path()).unwrap().format, Format::Numbered(2));
        assert_eq!(entries(&folder), ["runs.sqlite"], "{held}");
        assert_eq!(upgrade(folder.path(), NO_PATIENCE).unwrap().steps.len(), 2);
    }
}

#[test]
fn a_program_that_holds_the_database_is_named_and_the_conversion_can_be_tried_again() {
    let Some(python) = python() else { return };
    for held in [READING, WRITING, ALONE] {
        let folder = wide();
        let holder = Holder::of(folder.path(), &python, held);
        holder.is_named_in(&convert(folder.path()).unwrap_err());
        drop(holder);
        assert_eq!(plan(folder.path()).unwrap().format, Format::Wide);
        assert_eq!(entries(&folder), ["runs.sqlite"], "{held}");
        convert(folder.path()).unwrap();
        assert_eq!(Database::open(folder.path()).unwrap().version(), 4);
    }
}

#[test]
fn of_a_reader_and_a_writer_at_once_one_is_named() {
    let Some(python) = python() else { return };
    let folder = of_format(1);
    let reader = Holder::of(folder.path(), &python, READING);
    let writer = Holder::of(folder.path(), &python, WRITING);
    let refused = upgrade(folder.path(), NO_PATIENCE).unwrap_err().to_string();
    let named = [&reader, &writer].map(|holder| format!("process {}", holder.0.id()));
    assert!(named.iter().any(|name| refused.contains(name)), "{refused}");
    drop(writer);
    let refused = upgrade(folder.path(), NO_PATIENCE).unwrap_err();
    reader.is_named_in(&refused);
    drop(reader);
    assert_eq!(upgrade(folder.path(), NO_PATIENCE).unwrap().steps.len(), 3);
}

#[test]
fn programs_that_only_have_the_database_open_are_in_nobodys_way() {
    let Some(python) = python() else { return };
    let (numbered, before) = (of_format(1), wide());
    let holders = [&numbered, &before].map(|folder| Holder::of(folder.path(), &python, OPEN));
    let copy = upgrade(numbered.path(), NO_PATIENCE).unwrap().copy.unwrap();
    convert(before.path()).unwrap();
    restore(numbered.path(), &copy, NO_PATIENCE).unwrap();
    let runs = "SELECT count(*) FROM run_info";
    for folder in [&numbered, &before] {
        assert_eq!(answers(folder.path(), runs), [["Integer(1)"]]);
    }
    drop(holders);
}

#[test]
fn a_program_that_holds_the_database_is_named_and_the_way_back_can_be_tried_again() {
    let Some(python) = python() else { return };
    for held in [READING, WRITING, ALONE] {
        let folder = of_format(3);
        let copy = upgrade(folder.path(), NO_PATIENCE).unwrap().copy.unwrap();
        let holder = Holder::of(folder.path(), &python, held);
        holder.is_named_in(&restore(folder.path(), &copy, NO_PATIENCE).unwrap_err());
        drop(holder);
        assert_eq!(plan(folder.path()).unwrap().format, Format::Numbered(4));
        restore(folder.path(), &copy, NO_PATIENCE).unwrap();
        assert_eq!(plan(folder.path()).unwrap().format, Format::Numbered(3));
    }
}
