//! The settings of a database (table `metameta`), which its users change too.

use runledger_context::run::Proposal;
use rusqlite::{OptionalExtension, params};

use super::Database;
use crate::error::{Error, Result};
use crate::row::CellValue;

/// The value of a setting. Other programs may store any type under any key.
pub type SettingValue = CellValue;

impl Database {
    /// All settings, by key.
    ///
    /// # Errors
    /// SQLite's.
    pub fn settings(&self) -> Result<Vec<(String, SettingValue)>> {
        self.read(|conn| {
            conn.prepare("SELECT key, value FROM metameta ORDER BY key")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// One setting; None if it is not set.
    ///
    /// # Errors
    /// SQLite's.
    pub fn setting(&self, key: &str) -> Result<Option<SettingValue>> {
        self.read(|conn| {
            conn.query_row("SELECT value FROM metameta WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
        })
    }

    /// Sets one setting.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_setting(&mut self, key: &str, value: &SettingValue) -> Result<()> {
        self.write(|conn| {
            conn.execute(
                "INSERT INTO metameta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                params![key, value],
            )?;
            Ok(())
        })
    }

    /// Removes one setting; false if it was not set.
    ///
    /// # Errors
    /// SQLite's.
    pub fn delete_setting(&mut self, key: &str) -> Result<bool> {
        self.write(|conn| Ok(conn.execute("DELETE FROM metameta WHERE key = ?1", [key])? > 0))
    }

    /// The proposal that the database belongs to; None if that was never set.
    ///
    /// # Errors
    /// [`Error::BadProposal`] if what is there is no proposal number; SQLite's.
    pub fn proposal(&self) -> Result<Option<Proposal>> {
        match self.setting("proposal")? {
            None => Ok(None),
            Some(value) => self.as_proposal(value).map(Some),
        }
    }

    /// Makes this the database of another proposal. Runs that are in it stay.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_proposal(&mut self, proposal: Proposal) -> Result<()> {
        self.set_setting("proposal", &SettingValue::Integer(proposal.0.into()))
    }

    /// Gives the database a new random name, as a copy needs that is not to share its original's
    /// update topic.
    ///
    /// # Errors
    /// SQLite's.
    pub fn new_id(&mut self) -> Result<()> {
        self.db_id = self.write(|conn| {
            conn.query_row(
                "INSERT INTO metameta (key, value) VALUES ('db_id', lower(hex(randomblob(20))))
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING value",
                [],
                |row| row.get(0),
            )
        })?;
        Ok(())
    }

    /// DAMNIT's `db-config` stores a number as its text.
    fn as_proposal(&self, value: SettingValue) -> Result<Proposal> {
        let number = match &value {
            SettingValue::Integer(number) => u32::try_from(*number).ok(),
            SettingValue::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Proposal).ok_or_else(|| Error::BadProposal {
            path: self.path.clone(),
            found: in_words(&value),
        })
    }
}

fn in_words(value: &SettingValue) -> String {
    match value {
        SettingValue::Null => "empty".into(),
        SettingValue::Integer(number) => number.to_string(),
        SettingValue::Real(number) => number.to_string(),
        SettingValue::Text(text) => format!("{text:?}"),
        SettingValue::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}
