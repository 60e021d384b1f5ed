//! A database is made, brought to the present format, or back, and whoever is at it is stopped.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use nix::fcntl::{Flock, FlockArg};
use runledger_steps::Step;
use runledger_tests::{Finished, Site};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::stop::{Stop, names_in};

/// Databases of past formats: each is made once, and then copied.
#[derive(Default)]
pub(crate) struct Models(Mutex<BTreeMap<&'static str, tempfile::TempDir>>);

impl Models {
    /// A site with a copy.
    fn site(&self, format: &'static str) -> Site {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let model = made.entry(format).or_insert_with(|| {
            let folder = tempfile::tempdir().expect("a folder");
            copy(&Site::of_format(format).db(), folder.path());
            folder
        });
        let site = Site::quiet();
        copy(&model.path().join("db"), &site.path(""));
        site
    }
}

/// Copies a folder into another one, times included.
fn copy(folder: &Path, into: &Path) {
    let mut copy = Command::new("cp");
    Finished::of(copy.arg("-a").args([folder, into])).succeeded();
}

/// What a database has: its table, row by row, and its run files.
#[derive(Debug, PartialEq)]
struct Content {
    table: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Content {
    fn of(site: &Site) -> Self {
        let results = site.db().join("extracted_data");
        let names = names_in(&results).into_iter();
        let files = names.filter(|name| name.ends_with(".h5"));
        let read = |name: &String| std::fs::read(results.join(name)).expect("a run file");
        Self {
            table: rows(&site.table()),
            files: files.map(|name| (name.clone(), read(&name))).collect(),
        }
    }

    /// The same but for the moments that are in the files, and the database's random name.
    fn is_like(&self, other: &Self) -> bool {
        let lengths = |content: &Self| -> Vec<(String, usize)> {
            let files = content.files.iter();
            files
                .map(|(name, bytes)| (name.clone(), bytes.len()))
                .collect()
        };
        self.table == other.table && lengths(self) == lengths(other)
    }
}

/// Every row of every table and view, and how those are defined.
fn rows(conn: &Connection) -> Vec<String> {
    let sql = "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name";
    let mut schema = conn.prepare(sql).expect("the schema");
    let named = schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let named: Vec<(String, String)> = named.and_then(Iterator::collect).expect("the schema");
    let mut all = Vec::new();
    for (name, sql) in named {
        all.push(sql);
        let mut select = conn
            .prepare(&format!("SELECT * FROM \"{name}\""))
            .expect("a table");
        let count = select.column_count();
        let words = |row: &rusqlite::Row<'_>| {
            let value = |at| row.get::<_, Value>(at).map(|value| format!("{value:?}"));
            let values: rusqlite::Result<Vec<String>> = (0..count).map(value).collect();
            values.map(|values| format!("{name}: {}", values.join(", ")))
        };
        let rows = select.query_map([], words).and_then(Iterator::collect);
        let mut rows: Vec<String> = rows.expect("rows");
        rows.retain(|row| !row.contains("db_id"));
        rows.sort();
        all.extend(rows);
    }
    all
}

/// Whether nothing is left of what somebody was at.
fn is_tidy(site: &Site) {
    let (db, results) = (site.db(), site.db().join("extracted_data"));
    let mut names = names_in(&db);
    names.extend(names_in(&results));
    names.retain(|name| name.starts_with('.') && name != ".merging");
    assert!(names.is_empty(), "{names:?}");
}

/// Stopped or not, it comes to the same.
fn comes_to_the_same(whole: &Site, stopped: &Site, step: Step) {
    whole.run(&["migrate"]).succeeded();
    let before = Content::of(stopped);
    Stop::at(stopped, step).run_in_db(stopped, &["migrate"]);
    let between = Content::of(stopped);
    assert!(between.files.keys().eq(before.files.keys()));
    stopped.run(&["migrate"]).succeeded();
    let (done, expected) = (Content::of(stopped), Content::of(whole));
    assert!(
        done.is_like(&expected),
        "{:#?}\n{:#?}",
        done.table,
        expected.table
    );
    stopped.run(&["migrate", "--check"]).succeeded();
    is_tidy(stopped);
}

pub(crate) fn upgrade(step: Step, models: &Models) {
    comes_to_the_same(&models.site("2"), &models.site("2"), step);
}

pub(crate) fn convert(step: Step, models: &Models) {
    comes_to_the_same(&models.site("0"), &models.site("0"), step);
}

/// The table comes to have what the file says, too.
pub(crate) fn convert_late(step: Step, models: &Models) {
    let (whole, stopped) = (models.site("0"), models.site("0"));
    whole.run(&["migrate"]).succeeded();
    let path = stopped.db().join("extracted_data/p1234_r1.h5");
    let file = File::open(path).expect("a run file");
    let in_use = Flock::lock(file, FlockArg::LockExclusiveNonblock).expect("HDF5's lock");
    stopped.run(&["migrate"]).failed(3, &["one run file stays"]);
    drop(in_use);
    Stop::at(&stopped, step).run_in_db(&stopped, &["migrate"]);
    stopped.run(&["migrate"]).succeeded();
    assert_eq!(stopped.cells(), whole.cells());
    stopped.run(&["migrate", "--check"]).succeeded();
    is_tidy(&stopped);
}

/// Back to what it was, to the last byte of its run files.
pub(crate) fn restore(step: Step, models: &Models) {
    let site = models.site("0");
    let before = Content::of(&site);
    site.run(&["migrate"]).succeeded();
    let back = ["migrate", "--restore", "runs.v0-backup.sqlite", "--yes"];
    Stop::at(&site, step).run_in_db(&site, &back);
    site.run(&back).succeeded();
    let after = Content::of(&site);
    assert!(after == before, "{:#?}\n{:#?}", after.table, before.table);
    is_tidy(&site);
}

/// What was no database is kept, and the copy is in its place.
pub(crate) fn replace(step: Step, models: &Models) {
    let site = models.site("2");
    let before = Content::of(&site);
    let copy = site.db().join("runs.v2-backup.sqlite");
    std::fs::copy(site.db().join("runs.sqlite"), &copy).expect("a copy");
    std::fs::write(site.db().join("runs.sqlite"), "no database at all").expect("a file");
    let back = ["migrate", "--restore", "runs.v2-backup.sqlite", "--yes"];
    Stop::at(&site, step).run_in_db(&site, &back);
    site.run(&back).succeeded();
    let after = Content::of(&site);
    assert!(after == before, "{:#?}\n{:#?}", after.table, before.table);
    let kept = std::fs::read_to_string(site.db().join("runs.damaged-1.sqlite"));
    assert_eq!(kept.expect("what was there"), "no database at all");
    is_tidy(&site);
}

/// Done again, it is there, with its context file.
pub(crate) fn make(step: Step) {
    let site = Site::quiet();
    site.write("given.py", "# the context");
    let arguments = ["init", "db", "--proposal", "1234", "--context", "given.py"];
    let home = site.path("");
    Stop::at(&site, step).run(&mut site.command(&home, &arguments));
    Finished::of(&mut site.command(&home, &arguments)).succeeded();
    site.run(&["migrate", "--check"]).succeeded();
    let context = std::fs::read_to_string(site.db().join("context.py"));
    assert_eq!(context.expect("the context file"), "# the context");
    let sql = "SELECT value FROM metameta WHERE key = 'proposal'";
    assert_eq!(site.number(sql), Some(1234.0));
}
