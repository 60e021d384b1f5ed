//! Where a database keeps the version of its schema.
//!
//! Never in `PRAGMA user_version`: other programs that open these files reset it.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

/// Where a database keeps the version of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionPlace {
    /// The key `data_format_version` of the table `metameta`, as DAMNIT has it. Step 1 makes the table.
    Metameta,
    /// A table `schema_version` with one row, made here: for files that are ours alone.
    OwnTable,
}

impl VersionPlace {
    fn table(self) -> &'static str {
        match self {
            Self::Metameta => "metameta",
            Self::OwnTable => "schema_version",
        }
    }

    fn query(self) -> &'static str {
        match self {
            Self::Metameta => "SELECT value FROM metameta WHERE key = 'data_format_version'",
            Self::OwnTable => "SELECT version FROM schema_version",
        }
    }

    /// The version of the schema; 0 where none is recorded.
    pub(crate) fn read(self, conn: &Connection) -> Result<i64> {
        if !has_table(conn, self.table())? {
            return Ok(0);
        }
        let found: Option<Value> = conn
            .query_row(self.query(), [], |row| row.get(0))
            .optional()?;
        let Some(found) = found else { return Ok(0) };
        let version = whole_number(&found).filter(|version| *version >= 0);
        version.ok_or_else(|| Error::WrongVersion {
            found: describe(&found),
        })
    }

    /// Records `version`, inside the caller's transaction.
    pub(crate) fn write(self, conn: &Connection, version: u32) -> Result<()> {
        match self {
            Self::Metameta => {
                conn.execute(
                    "INSERT INTO metameta (key, value) VALUES ('data_format_version', ?1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    params![version],
                )?;
            }
            Self::OwnTable => {
                conn.execute_batch(
                    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL);
                     DELETE FROM schema_version;",
                )?;
                conn.execute("INSERT INTO schema_version VALUES (?1)", params![version])?;
            }
        }
        Ok(())
    }
}

fn has_table(conn: &Connection, name: &str) -> Result<bool> {
    let found = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
        [name],
        |row| row.get(0),
    )?;
    Ok(found)
}

/// Also one that somebody wrote as a text: DAMNIT takes that, too.
fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("the real number {number}"),
        Value::Text(text) => format!("the text {text:?}"),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}
