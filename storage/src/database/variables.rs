//! What is known of each variable: title, description and tags from the context file.

use std::collections::BTreeSet;

use runledger_steps::{Step, reached};
use rusqlite::{Connection, OptionalExtension, params};

use super::names::{COMMENT, Refusal, check_variable};
use super::tags::{set_tags, tags_of};
use super::user_variables::is_user_variable;
use super::{Database, views};
use crate::error::Result;

/// A variable as the context file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredVariable {
    /// Its name: identifiers joined by dots.
    pub name: String,
    /// What the column is called.
    pub title: String,
    /// What it means.
    pub description: Option<String>,
    /// Its tags, in any order.
    pub tags: Vec<String>,
}

/// What became of the variables that a context file declares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct VariableChanges {
    /// Those that were new or differ from what was stored.
    pub changed: Vec<DeclaredVariable>,
    /// Those that were left out, and why. A variable that people fill in stays theirs.
    pub refused: Vec<(String, Refusal)>,
}

impl Database {
    /// Stores what the context file declares. Variables that it no longer declares stay.
    ///
    /// Nothing is written, and no lock taken, if nothing has changed.
    ///
    /// # Errors
    /// SQLite's; then nothing is stored.
    pub fn update_computed_variables(
        &mut self,
        declared: &[DeclaredVariable],
    ) -> Result<VariableChanges> {
        // A database that is too old for tags can't be written either: the write below says so.
        if self.version == runledger_migrations::LATEST {
            let changes = self.read(|conn| compare(conn, declared))?;
            if changes.changed.is_empty() {
                return Ok(changes);
            }
        }
        let changes = self.write(|conn| {
            let changes = compare(conn, declared)?;
            for variable in &changes.changed {
                store(conn, variable)?;
            }
            views::include(conn, &names(&changes.changed))?;
            Ok(changes)
        })?;
        reached(Step::VariablesInTable);
        Ok(changes)
    }
}

/// Adds a variable for each cell's name that has none, titled with its name: clients read only
/// cells that have one. A comment needs none.
pub(super) fn introduce(conn: &Connection, names: &[&str]) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO variables (name, title) VALUES (?1, ?1) ON CONFLICT (name) DO NOTHING",
    )?;
    for name in names.iter().filter(|name| **name != COMMENT) {
        statement.execute([name])?;
    }
    Ok(())
}

fn names(variables: &[DeclaredVariable]) -> Vec<&str> {
    variables
        .iter()
        .map(|variable| variable.name.as_str())
        .collect()
}

fn compare(conn: &Connection, declared: &[DeclaredVariable]) -> rusqlite::Result<VariableChanges> {
    let mut changes = VariableChanges::default();
    for variable in declared {
        if let Some(why) = refusal(conn, &variable.name)? {
            changes.refused.push((variable.name.clone(), why));
        } else if differs(conn, variable)? {
            changes.changed.push(variable.clone());
        }
    }
    Ok(changes)
}

fn refusal(conn: &Connection, name: &str) -> rusqlite::Result<Option<Refusal>> {
    if let Err(why) = check_variable(name) {
        return Ok(Some(why));
    }
    Ok(is_user_variable(conn, name)?.then_some(Refusal::UserVariable))
}

fn differs(conn: &Connection, variable: &DeclaredVariable) -> rusqlite::Result<bool> {
    let mut statement =
        conn.prepare_cached("SELECT title, description FROM variables WHERE name = ?1")?;
    let stored: Option<(Option<String>, Option<String>)> = statement
        .query_row([&variable.name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let wanted = (Some(variable.title.clone()), variable.description.clone());
    Ok(stored != Some(wanted) || tags_of(conn, &variable.name)? != tag_set(variable))
}

fn store(conn: &Connection, variable: &DeclaredVariable) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO variables (name, title, description) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET
             title = excluded.title, description = excluded.description",
    )?
    .execute(params![variable.name, variable.title, variable.description])?;
    set_tags(conn, &variable.name, &tag_set(variable))
}

fn tag_set(variable: &DeclaredVariable) -> BTreeSet<String> {
    variable.tags.iter().cloned().collect()
}
