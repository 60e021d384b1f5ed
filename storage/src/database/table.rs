//! The run table for people: one row per run, one column per variable.
//!
//! Read in one pass over the cells, in the order in which they lie in the file; the views, which group
//! and look at every cell once per variable, are no part of it.

use std::collections::HashMap;

use runledger_context::run::RunId;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::names::COMMENT;
use super::runs::{IS_A_RUN, run_id};
use super::table_cell::{TableCell, cell};
use super::{Database, Shown, UserType};
use crate::error::{Error, Result};
use crate::file_system;

/// Names that select what every row has anyway.
const FIXED: [&str; 5] = ["proposal", "run", "start_time", "added_at", COMMENT];

/// The most that SQLite maps of a file; the rest of a larger one is read as usual.
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
        self.map(MAPPED)?;
        let table = self.read(|conn| fill(conn, columns, wanted.is_none(), self.version > 1));
        self.map(0)?;
        table
    }

    /// Lets SQLite look at the file in place instead of copying it page by page, up to so many bytes; not where
    /// other machines may write to it.
    fn map(&self, bytes: i64) -> Result<()> {
        if file_system::is_shared(&self.dir) {
            return Ok(());
        }
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

fn fill(
    conn: &Connection,
    columns: Vec<Column>,
    all: bool,
    attributes: bool,
) -> rusqlite::Result<Table> {
    let mut draft = Draft::new(columns, read_runs(conn)?, all);
    let attributes = if attributes { "attributes" } else { "NULL" };
    // Bytes longer than a complex number are known by their type alone. What is no cell of a run is left out by
    // `put`, which sees the values' types anyway.
    let query = format!(
        "SELECT proposal, run, name,
                CASE WHEN typeof(value) = 'blob' AND length(value) > 16 THEN x'' ELSE value END,
                summary_type, {attributes}
         FROM run_variables"
    );
    let mut statement = conn.prepare(&query)?;
    let mut cells = statement.query([])?;
    while let Some(row) = cells.next()? {
        draft.put(row)?;
    }
    Ok(draft.finish())
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

/// A table while cells are put into it, in any order. Most often the next one is of the same run and of the next
/// variable: then nothing has to be searched.
struct Draft {
    columns: Vec<Column>,
    rows: Vec<TableRow>,
    column_of: HashMap<String, usize>,
    row_of: HashMap<RunId, usize>,
    /// Where the last cell went: row and column.
    last: (usize, usize),
    /// Whether cells whose name is in no column get one: other programs' submitted results.
    grows: bool,
}

impl Draft {
    fn new(columns: Vec<Column>, rows: Vec<TableRow>, grows: bool) -> Self {
        let named = columns.iter().enumerate();
        let column_of = named
            .map(|(at, column)| (column.name.clone(), at))
            .collect();
        let row_of = rows
            .iter()
            .enumerate()
            .map(|(at, row)| (row.run, at))
            .collect();
        Self {
            columns,
            rows,
            column_of,
            row_of,
            last: (0, 0),
            grows,
        }
    }

    /// Cells of runs that are not in the table are left out, and rows that are no cells.
    fn put(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (Some(at), ValueRef::Text(name)) = (self.row(row)?, row.get_ref(2)?) else {
            return Ok(());
        };
        let name = str::from_utf8(name)?;
        if name == COMMENT {
            let text = Shown::from_cell(row.get_ref(3)?, None);
            self.rows[at].comment = (text != Shown::Null).then(|| text.to_string());
            return Ok(());
        }
        let Some(column) = self.column(name) else {
            return Ok(());
        };
        let cell = cell(row, self.columns[column].user_type.as_ref())?;
        let cells = &mut self.rows[at].cells;
        if cells.len() <= column {
            cells.reserve_exact(self.columns.len() - cells.len());
            cells.resize(column + 1, None);
        }
        cells[column] = Some(cell);
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> rusqlite::Result<Option<usize>> {
        let (ValueRef::Integer(proposal), ValueRef::Integer(run)) =
            (row.get_ref(0)?, row.get_ref(1)?)
        else {
            return Ok(None);
        };
        let (Ok(proposal), Ok(run)) = (u32::try_from(proposal), u32::try_from(run)) else {
            return Ok(None);
        };
        let run = RunId::new(proposal, run);
        if self.rows.get(self.last.0).is_some_and(|row| row.run == run) {
            return Ok(Some(self.last.0));
        }
        let found = self.row_of.get(&run).copied();
        self.last.0 = found.unwrap_or(self.last.0);
        Ok(found)
    }

    fn column(&mut self, name: &str) -> Option<usize> {
        let next = self.last.1 + 1;
        if self
            .columns
            .get(next)
            .is_some_and(|column| column.name == name)
        {
            self.last.1 = next;
            return Some(next);
        }
        let found = self.search_column(name);
        self.last.1 = found.unwrap_or(self.last.1);
        found
    }

    fn search_column(&mut self, name: &str) -> Option<usize> {
        if self.grows && !self.column_of.contains_key(name) {
            self.column_of.insert(name.into(), self.columns.len());
            self.columns.push(Column {
                name: name.into(),
                title: name.into(),
                user_type: None,
            });
        }
        self.column_of.get(name).copied()
    }

    fn finish(mut self) -> Table {
        for row in &mut self.rows {
            row.cells.resize(self.columns.len(), None);
        }
        Table {
            columns: self.columns,
            rows: self.rows,
        }
    }
}

fn number(value: ValueRef<'_>) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Real(number) => Some(number),
        _ => None,
    }
}
