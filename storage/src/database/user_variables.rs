//! Variables that people fill in by hand, in the table itself.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::names::check_variable;
use super::{Database, views};
use crate::error::{Error, Result};

/// What may be entered in a user variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserType {
    /// Yes or no, stored as 1 or 0.
    Boolean,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// A word that a later program wrote.
    Other(String),
}

impl fmt::Display for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Other(word) => word,
        })
    }
}

impl UserType {
    /// From the word that the database has for it.
    pub fn from_word(word: &str) -> Self {
        match word {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "string" => Self::String,
            other => Self::Other(other.into()),
        }
    }
}

/// A variable that people fill in by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserVariable {
    /// Its name: identifiers joined by dots.
    pub name: String,
    /// What may be entered.
    pub kind: UserType,
    /// What the column is called.
    pub title: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// Not used by any known program; kept as it is.
    pub attributes: Option<String>,
}

impl Database {
    /// The variables that people fill in, oldest first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn user_variables(&self) -> Result<Vec<UserVariable>> {
        self.read(|conn| {
            conn.prepare(
                "SELECT name, type, title, description, attributes FROM variables
                 WHERE type IS NOT NULL ORDER BY rowid",
            )?
            .query_map([], user_variable)?
            .collect()
        })
    }

    /// Adds a variable for people to fill in.
    ///
    /// # Errors
    /// [`Error::BadVariableName`], [`Error::VariableExists`] if there is one of this name, of any kind; SQLite's.
    pub fn add_user_variable(&mut self, variable: &UserVariable) -> Result<()> {
        check_variable(&variable.name).map_err(|why| Error::BadVariableName {
            name: variable.name.clone(),
            why,
        })?;
        let added = self.write(|conn| {
            let added = insert(conn, variable)?;
            if added {
                views::include(conn, &[&variable.name])?;
            }
            Ok(added)
        })?;
        match added {
            true => Ok(()),
            false => Err(Error::VariableExists {
                path: self.path.clone(),
                name: variable.name.clone(),
            }),
        }
    }
}

/// Whether people fill in a variable of this name.
pub(super) fn is_user_variable(conn: &Connection, name: &str) -> rusqlite::Result<bool> {
    let mut statement =
        conn.prepare_cached("SELECT type IS NOT NULL FROM variables WHERE name = ?1")?;
    let found = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(false))
}

fn insert(conn: &Connection, variable: &UserVariable) -> rusqlite::Result<bool> {
    let UserVariable {
        name,
        kind,
        title,
        description,
        attributes,
    } = variable;
    let added = conn.execute(
        "INSERT INTO variables (name, type, title, description, attributes)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO NOTHING",
        params![name, kind.to_string(), title, description, attributes],
    )?;
    Ok(added > 0)
}

fn user_variable(row: &Row<'_>) -> rusqlite::Result<UserVariable> {
    let kind: String = row.get(1)?;
    Ok(UserVariable {
        name: row.get(0)?,
        kind: UserType::from_word(&kind),
        title: row.get(2)?,
        description: row.get(3)?,
        attributes: row.get(4)?,
    })
}
