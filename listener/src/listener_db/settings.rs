//! The listener's settings, which people change with `listener config`.

use runledger_storage::CellValue;
use rusqlite::{OptionalExtension, params};

use super::ListenerDb;
use crate::Result;

/// A listener that was started by mistake finds nothing by itself; and jobs go to the queue.
const DEFAULTS: [(&str, bool); 2] = [("static_mode", true), ("allow_local_processing", false)];

impl ListenerDb {
    pub(super) fn set_defaults(&mut self) -> Result<()> {
        for (key, value) in DEFAULTS {
            let set = self.connection.execute(
                "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING",
                params![key, value],
            );
            self.done(set)?;
        }
        Ok(())
    }

    /// All settings, by key.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn settings(&self) -> Result<Vec<(String, CellValue)>> {
        let read = || -> rusqlite::Result<Vec<(String, CellValue)>> {
            let mut statement = self
                .connection
                .prepare("SELECT key, value FROM settings ORDER BY key")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        self.done(read())
    }

    /// One setting; None if it is not set.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn setting(&self, key: &str) -> Result<Option<CellValue>> {
        let sql = "SELECT value FROM settings WHERE key = ?1";
        let found = self
            .connection
            .query_row(sql, [key], |row| row.get(0))
            .optional();
        self.done(found)
    }

    /// Sets one setting.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn set_setting(&mut self, key: &str, value: &CellValue) -> Result<()> {
        let set = self.connection.execute(
            "INSERT INTO settings (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![key, value],
        );
        self.done(set).map(drop)
    }

    /// Removes one setting; false if it was not set.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn delete_setting(&mut self, key: &str) -> Result<bool> {
        let removed = self
            .connection
            .execute("DELETE FROM settings WHERE key = ?1", [key]);
        Ok(self.done(removed)? > 0)
    }

    /// Whether only the databases on the list are watched, and none is found by itself.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn is_static(&self) -> Result<bool> {
        Ok(self
            .setting("static_mode")?
            .is_none_or(|value| is_true(&value)))
    }

    /// The wrapper that jobs are to evaluate context files in; empty: none is set here.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`]; [`crate::Error::Sandbox`]: it is set to what is no command line. Nothing may be
    /// run without it.
    pub fn wrapper(&self) -> Result<String> {
        let words = match self.setting("sandbox_args")? {
            None | Some(CellValue::Null) => String::new(),
            Some(CellValue::Text(words)) => words,
            Some(other) => format!("{other:?}"),
        };
        runledger_sandbox::Wrapper::parse(&words)?;
        Ok(words)
    }

    /// Whether this machine does what the queue does not take.
    ///
    /// # Errors
    /// [`crate::Error::ListenerDb`].
    pub fn may_run_locally(&self) -> Result<bool> {
        let set = self.setting("allow_local_processing")?;
        Ok(set.is_some_and(|value| is_true(&value)))
    }
}

/// The text '0' is false, as people mean it.
fn is_true(value: &CellValue) -> bool {
    match value {
        CellValue::Null => false,
        CellValue::Integer(number) => *number != 0,
        CellValue::Real(number) => *number != 0.0,
        CellValue::Text(text) => !matches!(
            text.to_ascii_lowercase().as_str(),
            "" | "0" | "false" | "no" | "off"
        ),
        CellValue::Blob(bytes) => !bytes.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_listener_is_static_until_somebody_says_0() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = ListenerDb::open(folder.path()).unwrap();
        assert_eq!(
            db.setting("static_mode").unwrap(),
            Some(CellValue::Integer(1))
        );
        assert!(db.is_static().unwrap() && !db.may_run_locally().unwrap());
        db.set_setting("static_mode", &CellValue::Text("0".into()))
            .unwrap();
        assert!(!db.is_static().unwrap());
        // Opening it again does not bring the default back.
        assert!(
            !ListenerDb::open(folder.path())
                .unwrap()
                .is_static()
                .unwrap()
        );
    }
}
