//! What others have written into a database is data to us, and never a program: a trigger or a view may go on for ever, and
//! would hold up all that its reader has to do.
//!
//! As SQLite recommends for files of uncertain origin (<https://sqlite.org/security.html>). What is left are expressions
//! about one row, as in generated columns and checks, which come to an end.

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

const SETTINGS: [(DbConfig, bool); 4] = [
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
];
/// In bytes: the time to look for a pattern with many wildcards grows with a power of their number.
const LONGEST_PATTERN: i32 = 100;

/// For this connection triggers do nothing, and views cannot be read.
pub(crate) fn take_as_data(conn: &Connection) -> rusqlite::Result<()> {
    for (setting, value) in SETTINGS {
        conn.set_db_config(setting, value)?;
    }
    conn.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect;
    use rusqlite::OpenFlags;

    const ENDLESS: &str =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";

    /// A database that somebody has written `sql` into, and our connection to it.
    fn written(sql: &str) -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.sqlite");
        let open = || connect(&path, OpenFlags::default()).unwrap();
        open().execute_batch(sql).unwrap();
        let conn = open();
        (folder, conn)
    }

    #[test]
    fn a_trigger_that_never_ends_is_not_begun() {
        let (_folder, conn) = written(&format!(
            "CREATE TABLE x (y); CREATE TRIGGER t AFTER INSERT ON x BEGIN {ENDLESS}; END"
        ));
        assert_eq!(conn.execute("INSERT INTO x VALUES (1)", []).unwrap(), 1);
    }

    #[test]
    fn a_view_in_the_place_of_a_table_is_refused() {
        let (_folder, conn) = written("CREATE VIEW x AS SELECT 1");
        let why = conn
            .query_row("SELECT * FROM x", [], |_| Ok(()))
            .unwrap_err();
        assert!(why.to_string().contains("view"), "{why}");
    }

    #[test]
    fn a_pattern_that_takes_for_ever_is_refused() {
        let check = format!("y NOT LIKE '{}b'", "%a".repeat(60));
        let (_folder, conn) = written(&format!("CREATE TABLE x (y CHECK ({check}))"));
        let long = "a".repeat(10_000);
        assert!(conn.execute("INSERT INTO x VALUES (?1)", [long]).is_err());
    }
}
