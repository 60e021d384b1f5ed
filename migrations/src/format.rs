//! Which of all formats a run table has.

use std::fmt;

use rusqlite::Connection;

use crate::error::Result;
use crate::runs::version;

/// Which of all formats a run table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Of before format 1: one wide table, a column for each variable.
    Wide,
    /// An early attempt at format 1, which was in use: cells say in `stored_type` what they were in Python.
    Intermediate,
    /// Format 1 or later, which steps lead on from.
    Numbered(u32),
    /// It is no run table.
    Foreign,
}

impl Format {
    /// The word for it in the names of copies: `v0`, `intermediate-v1`.
    pub fn in_file_names(self) -> String {
        match self {
            Self::Foreign => "damaged".into(),
            known => known.to_string().replace(' ', "-"),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wide => f.write_str("v0"),
            Self::Intermediate => f.write_str("intermediate v1"),
            Self::Numbered(version) => write!(f, "v{version}"),
            Self::Foreign => f.write_str("none that is known"),
        }
    }
}

/// Which format a database has. Reads only. What its tables are like counts more than the version that it tells.
///
/// # Errors
/// [`Error::Newer`](crate::Error::Newer), [`Error::WrongVersion`](crate::Error::WrongVersion), or SQLite's.
pub fn format(conn: &Connection) -> Result<Format> {
    let version = version(conn)?;
    Ok(if has_column(conn, "run_variables", "stored_type")? {
        Format::Intermediate
    } else if version > 0 {
        Format::Numbered(version)
    } else if has_column(conn, "runs", "runnr")? {
        Format::Wide
    } else {
        Format::Foreign
    })
}

/// Whether a table or view has a column.
pub(crate) fn has_column(conn: &Connection, table: &str, column: &str) -> Result<bool> {
    let found = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
        [table, column],
        |row| row.get(0),
    )?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LATEST, create};

    fn database(sql: &str) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(sql).unwrap();
        conn
    }

    #[test]
    fn each_format_is_known_by_its_tables() {
        let wide = database("CREATE TABLE runs (proposal, runnr)");
        assert_eq!(format(&wide).unwrap(), Format::Wide);
        let foreign = database("CREATE TABLE cats (name)");
        assert_eq!(format(&foreign).unwrap(), Format::Foreign);
        let mut latest = database("");
        create(&mut latest).unwrap();
        assert_eq!(format(&latest).unwrap(), Format::Numbered(LATEST));
    }

    #[test]
    fn the_early_format_1_is_known_whatever_version_it_tells() {
        for version in ["", "INSERT INTO metameta VALUES ('data_format_version', 1)"] {
            let conn = database(
                "CREATE TABLE metameta (key, value); CREATE TABLE run_variables (name, value, stored_type)",
            );
            conn.execute_batch(version).unwrap();
            assert_eq!(format(&conn).unwrap(), Format::Intermediate);
        }
    }
}
