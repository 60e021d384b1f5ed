//! The run table while its cells are read.

use std::collections::HashMap;

use runledger_context::run::RunId;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::Shown;
use super::names::COMMENT;
use super::table::{Column, Table, TableRow};
use super::table_cell::{TableCell, cell};

/// A table while cells are put into it, in any order. Most often the next one is of the same run and of the next
/// variable: then nothing has to be searched.
pub(super) struct Draft {
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
    pub(super) fn new(columns: Vec<Column>, rows: Vec<TableRow>, grows: bool) -> Self {
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
    pub(super) fn put(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
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
        self.place(at, column, cell);
        Ok(())
    }

    fn place(&mut self, row: usize, column: usize, cell: TableCell) {
        let cells = &mut self.rows[row].cells;
        if cells.len() <= column {
            cells.reserve_exact(self.columns.len() - cells.len());
            cells.resize(column + 1, None);
        }
        cells[column] = Some(cell);
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

    /// An empty one of the same runs and variables.
    pub(super) fn alike(&self) -> Self {
        Self::new(self.columns.clone(), self.rows.clone(), self.grows)
    }

    /// Takes over what was put into one that is [alike](Self::alike).
    pub(super) fn absorb(&mut self, other: Self) {
        let names = other.columns.iter().map(|column| column.name.as_str());
        let columns: Vec<Option<usize>> = names.map(|name| self.search_column(name)).collect();
        for (at, row) in other.rows.into_iter().enumerate() {
            if row.comment.is_some() {
                self.rows[at].comment = row.comment;
            }
            for (cell, column) in row.cells.into_iter().zip(&columns) {
                if let (Some(cell), Some(column)) = (cell, column) {
                    self.place(at, *column, cell);
                }
            }
        }
    }

    pub(super) fn finish(mut self) -> Table {
        for row in &mut self.rows {
            row.cells.resize(self.columns.len(), None);
        }
        Table {
            columns: self.columns,
            rows: self.rows,
        }
    }
}
