//! From the early format 1, whose cells have a `stored_type`, to the present one.

use rusqlite::Connection;

use crate::error::Result;
use crate::runs::RUNS;
use crate::wide::{Counts, drop_indexes};

/// The old cells' table while its rows go over.
const OLD: &str = "cells_of_intermediate_1";

/// Makes the latest format of the early format 1, within the caller's transaction. What both have is kept.
///
/// # Errors
/// SQLite's; the caller takes the transaction back then.
pub fn convert_intermediate(conn: &Connection) -> Result<Counts> {
    conn.execute_batch(&format!(
        "DROP VIEW IF EXISTS runs;
         DROP VIEW IF EXISTS max_diffs;
         ALTER TABLE run_variables RENAME TO {OLD};"
    ))?;
    drop_indexes(conn, OLD)?;
    RUNS.take_all(conn, 0)?;
    let columns = shared_columns(conn)?.join(", ");
    let cells = conn.execute(
        &format!("INSERT INTO run_variables ({columns}) SELECT {columns} FROM {OLD}"),
        [],
    )?;
    conn.execute_batch(&format!("DROP TABLE {OLD}"))?;
    list_variables(conn)?;
    let runs = conn.query_row("SELECT count(*) FROM run_info", [], |row| {
        row.get::<_, u32>(0)
    })?;
    Ok(Counts {
        runs: runs as usize,
        cells,
    })
}

/// Clients read the cells of listed variables only. A comment needs no listing.
fn list_variables(conn: &Connection) -> Result<()> {
    conn.execute(
        "INSERT INTO variables (name, title)
         SELECT DISTINCT name, name FROM run_variables
         WHERE typeof(name) = 'text' AND name <> 'comment'
         ON CONFLICT (name) DO NOTHING",
        [],
    )?;
    Ok(())
}

fn shared_columns(conn: &Connection) -> Result<Vec<String>> {
    let query = "SELECT name FROM pragma_table_info('run_variables')
                 INTERSECT SELECT name FROM pragma_table_info(?1)";
    let mut statement = conn.prepare(query)?;
    let names = statement.query_map([OLD], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, LATEST, format};

    #[test]
    fn cells_keep_what_both_formats_have_whatever_version_was_told() {
        for version in [0, 1, 4] {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(&format!(
                "CREATE TABLE run_info (proposal, run, start_time, added_at);
                 CREATE TABLE run_variables (proposal, run, name, version, value, stored_type, attributes);
                 CREATE UNIQUE INDEX variable_version ON run_variables (proposal, run, name, version);
                 CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
                 CREATE VIEW runs AS SELECT * FROM run_variables;
                 INSERT INTO metameta VALUES ('data_format_version', {version});
                 INSERT INTO run_variables VALUES (1, 2, 'x', 1, 2.5, 'ndarray', '{{}}');"
            ))
            .unwrap();
            let counts = convert_intermediate(&conn).unwrap();
            assert_eq!(counts, Counts { runs: 0, cells: 1 });
            assert_eq!(format(&conn).unwrap(), Format::Numbered(LATEST));
            let query = "SELECT c.name || value || c.attributes FROM run_variables AS c
                         JOIN variables AS v ON v.name = c.name AND v.title = c.name";
            let cell: String = conn.query_row(query, [], |row| row.get(0)).unwrap();
            assert_eq!(cell, "x2.5{}");
        }
    }
}
