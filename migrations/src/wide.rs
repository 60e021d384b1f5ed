//! From format 0, one wide table with a column for each variable, to a row for each cell.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};

use crate::error::Result;
use crate::format::has_column;
use crate::runs::RUNS;

/// Columns of the wide table that are no variables.
const OWN: [&str; 4] = ["proposal", "runnr", "start_time", "added_at"];
/// A text that people write; it is listed nowhere.
const COMMENT: &str = "comment";
/// The wide table's name while its rows go over.
const OLD: &str = "runs_of_format_0";

/// What the wide table does not say of a cell, and its run's file may.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// When it was written, in seconds since 1970.
    pub timestamp: Option<f64>,
    /// How far its numbers spread.
    pub max_diff: Option<f64>,
    /// What is shown instead of the value: a PNG.
    pub picture: Option<Vec<u8>>,
}

/// How much went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs.
    pub runs: usize,
    /// Cells that have a value.
    pub cells: usize,
}

/// The variables of a wide table: its columns, in order.
///
/// # Errors
/// SQLite's.
pub fn wide_variables(conn: &Connection) -> Result<Vec<String>> {
    variables_of(conn, "runs")
}

fn variables_of(conn: &Connection, table: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let columns: Vec<String> = statement
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let is_variable = |name: &String| !OWN.contains(&name.as_str());
    Ok(columns.into_iter().filter(is_variable).collect())
}

/// Makes the latest format of format 0, within the caller's transaction. `known` tells of each cell, by proposal, run and
/// variable, what its run's file says.
///
/// Variables that nobody listed are listed with their names as titles: clients read no others.
///
/// # Errors
/// SQLite's; the caller takes the transaction back then.
pub fn convert_wide(
    conn: &Connection,
    known: impl Fn(&Value, &Value, &str) -> Known,
) -> Result<Counts> {
    conn.execute_batch(&format!("ALTER TABLE runs RENAME TO {OLD}"))?;
    drop_indexes(conn, OLD)?;
    RUNS.take_all(conn, 0)?;
    complete_variables(conn)?;
    let variables = variables_of(conn, OLD)?;
    let runs = conn.execute(
        &format!("INSERT INTO run_info SELECT proposal, runnr, start_time, added_at FROM {OLD}"),
        [],
    )?;
    let cells = copy_cells(conn, &variables, known)?;
    let mut list =
        conn.prepare("INSERT INTO variables (name, title) VALUES (?1, ?1) ON CONFLICT DO NOTHING")?;
    for name in variables.iter().filter(|name| *name != COMMENT) {
        list.execute([name])?;
    }
    conn.execute_batch(&format!("DROP TABLE {OLD}"))?;
    Ok(Counts { runs, cells })
}

/// Names of indexes are the database's: those of the old table stand in the way of the new ones.
pub(crate) fn drop_indexes(conn: &Connection, table: &str) -> Result<()> {
    let query =
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL";
    let mut statement = conn.prepare(query)?;
    let names: Vec<String> = statement
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for name in names {
        conn.execute_batch(&format!("DROP INDEX {}", quoted(&name)))?;
    }
    Ok(())
}

/// The list of variables grew in the time of format 0.
fn complete_variables(conn: &Connection) -> Result<()> {
    for column in ["type", "title", "description", "attributes"] {
        if !has_column(conn, "variables", column)? {
            conn.execute_batch(&format!("ALTER TABLE variables ADD COLUMN {column} TEXT"))?;
        }
    }
    Ok(())
}

fn copy_cells(
    conn: &Connection,
    variables: &[String],
    known: impl Fn(&Value, &Value, &str) -> Known,
) -> Result<usize> {
    let columns: Vec<String> = variables.iter().map(|name| quoted(name)).collect();
    let columns = [&["proposal".into(), "runnr".into()], columns.as_slice()].concat();
    let mut select = conn.prepare(&format!("SELECT {} FROM {OLD}", columns.join(", ")))?;
    let mut rows = select.query([])?;
    let mut cells = 0;
    while let Some(row) = rows.next()? {
        cells += copy_run(conn, variables, row, &known)?;
    }
    Ok(cells)
}

fn copy_run(
    conn: &Connection,
    variables: &[String],
    row: &Row<'_>,
    known: impl Fn(&Value, &Value, &str) -> Known,
) -> Result<usize> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO run_variables
             (proposal, run, name, version, value, timestamp, max_diff, provenance, summary_method)
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let (proposal, run): (Value, Value) = (row.get(0)?, row.get(1)?);
    let mut cells = 0;
    for (at, name) in variables.iter().enumerate() {
        let value: Value = row.get(at + 2)?;
        let known = known(&proposal, &run, name);
        // Only of what was drawn anew it is known who did.
        let (value, provenance, method) = match known.picture {
            Some(png) => (Value::Blob(png), Some("context.py"), Some("")),
            None if value == Value::Null => continue,
            None => (value, None, None),
        };
        let (timestamp, max_diff) = (known.timestamp, known.max_diff);
        insert.execute(params![
            proposal, run, name, value, timestamp, max_diff, provenance, method
        ])?;
        cells += 1;
    }
    Ok(cells)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LATEST, version};

    fn wide() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE runs (proposal, runnr, start_time, added_at, comment, \"odd \"\" name\", image);
             CREATE UNIQUE INDEX proposal_run ON runs (proposal, runnr);
             CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
             CREATE TABLE variables (name TEXT PRIMARY KEY NOT NULL, type TEXT);
             INSERT INTO runs VALUES (12, 1, 10.5, 11, 'hello', NULL, x'00'), (34, 1, NULL, 12, NULL, 2.5, x'01');",
        )
        .unwrap();
        conn
    }

    #[test]
    fn each_value_becomes_a_cell_of_its_own_run() {
        let conn = wide();
        let known = |proposal: &Value, _: &Value, name: &str| Known {
            timestamp: Some(7.0),
            max_diff: None,
            picture: (*proposal == Value::Integer(34) && name == "image").then(|| vec![2]),
        };
        let counts = convert_wide(&conn, known).unwrap();
        assert_eq!(counts, Counts { runs: 2, cells: 4 });
        assert_eq!(version(&conn).unwrap(), LATEST);
        let mut statement = conn
            .prepare("SELECT proposal || name || quote(value) FROM run_variables ORDER BY 1")
            .unwrap();
        let cells: Vec<String> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let expected = [
            "12comment'hello'",
            "12imageX'00'",
            "34imageX'02'",
            "34odd \" name2.5",
        ];
        assert_eq!(cells, expected);
    }
}
