//! The run table for people: one row per run, one column per variable.
//!
//! Read in one pass over the cells (`scan.rs`); the views, which group and look at every cell once per variable, are
//! no part of it.

use runledger_context::run::RunId;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::draft::Draft;
use super::names::COMMENT;
use super::runs::{IS_A_RUN, run_id};
use super::scan::Scan;
use super::table_cell::TableCell;
use super::{Database, UserType};
use crate::error::{Error, Result};
use crate::file_system;

/// Names that select what every row has anyway.
const FIXED: [&str; 5] = ["proposal", "run", "start_time", "added_at", COMMENT];

/// The most that SQLite maps of a file that no other machine writes to; the rest of a larger one is read as usual.
const MAPPED: i64 = 0x7fff_0000;

/// The run table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// One per variable.
    pub columns: Vec<Column>,
    /// One per run, by proposal and number.
    pub rows: Vec<TableRow>,
}

/// A variable in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What people call it; the name where there is nothing else.
    pub title: String,
    /// What may be entered, if people fill it in.
    pub user_type: Option<UserType>,
}

/// A run in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// Which run.
    pub run: RunId,
    /// When it was taken, seconds since 1970; None for one that was only planned or is just being taken.
    pub start_time: Option<f64>,
    /// When it got into the table, seconds since 1970.
    pub added_at: Option<f64>,
    /// The users' text.
    pub comment: Option<String>,
    /// One per column; None where the variable was never evaluated.
    pub cells: Vec<Option<TableCell>>,
}

impl Database {
    /// The run table, with all variables, or those of `wanted` in that order (names or titles).
    /// Names of what every row has anyway (`run`, `comment`, …) are allowed and add no column.
    ///
    /// # Errors
    /// [`Error::NoSuchVariable`]; SQLite's.
    pub fn table(&self, wanted: Option<&[String]>) -> Result<Table> {
        let known = self.read(known_columns)?;
        let columns = match wanted {
            None => known,
            Some(wanted) => self.choose(&known, wanted)?,
        };
        let scan = Scan {
            path: &self.path,
            attributes: self.version > 1,
            mapped: match file_system::is_shared(&self.dir) {
                true => 0,
                false => MAPPED,
            },
        };
        self.map(scan.mapped)?;
        let table = self.read(|conn| {
            let draft = Draft::new(columns, read_runs(conn)?, wanted.is_none());
            Ok(scan.all(conn, draft)?.finish())
        });
        self.map(0)?;
        table
    }

    /// Lets SQLite look at so many bytes of the file in place instead of copying them page by page.
    fn map(&self, bytes: i64) -> Result<()> {
        let mapped = self.conn.pragma_update(None, "mmap_size", bytes);
        mapped.map_err(|error| Error::sqlite(&self.path, error))
    }

    fn choose(&self, known: &[Column], wanted: &[String]) -> Result<Vec<Column>> {
        let is_variable = |name: &&String| !FIXED.contains(&name.as_str());
        wanted
            .iter()
            .filter(is_variable)
            .map(|name| {
                find(known, name).ok_or_else(|| Error::NoSuchVariable {
                    path: self.path.clone(),
                    name: name.clone(),
                })
            })
            .collect()
    }
}

/// Names before titles: a title may be another variable's name.
fn find(known: &[Column], wanted: &str) -> Option<Column> {
    let by_name = known.iter().find(|column| column.name == wanted);
    let found = by_name.or_else(|| known.iter().find(|column| column.title == wanted));
    found.cloned()
}

/// In the order in which they came into the database.
fn known_columns(conn: &Connection) -> rusqlite::Result<Vec<Column>> {
    conn.prepare(
        "SELECT name, coalesce(title, name), type FROM variables WHERE name <> ?1 ORDER BY rowid",
    )?
    .query_map([COMMENT], |row| {
        let kind: Option<String> = row.get(2)?;
        Ok(Column {
            name: row.get(0)?,
            title: row.get(1)?,
            user_type: kind.as_deref().map(UserType::from_word),
        })
    })?
    .collect()
}

fn read_runs(conn: &Connection) -> rusqlite::Result<Vec<TableRow>> {
    let query = format!(
        "SELECT proposal, run, start_time, added_at FROM run_info
         WHERE {IS_A_RUN} ORDER BY proposal, run"
    );
    let row = |row: &Row<'_>| {
        Ok(TableRow {
            run: run_id(row)?,
            start_time: number(row.get_ref(2)?),
            added_at: number(row.get_ref(3)?),
            comment: None,
            cells: Vec::new(),
        })
    };
    conn.prepare(&query)?.query_map([], row)?.collect()
}

fn number(value: ValueRef<'_>) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Real(number) => Some(number),
        _ => None,
    }
}
