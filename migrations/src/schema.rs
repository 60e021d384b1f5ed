//! A schema in a form that can be compared: `latest.sql` files have to be what the steps amount to.

use rusqlite::Connection;

use crate::error::Result;

/// Every object of a schema with its statement, without comments and in one spelling of blanks and names.
///
/// # Errors
/// SQLite's.
pub fn schema(conn: &Connection) -> Result<Vec<String>> {
    let query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
    let mut statement = conn.prepare(query)?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0))?;
    texts.map(|text| Ok(plain(&text?))).collect()
}

fn plain(sql: &str) -> String {
    let code = |line: &str| line.split("--").next().unwrap_or_default().to_owned();
    let words: String = sql.lines().map(code).collect::<Vec<_>>().join(" ");
    let words = words.replace('"', "");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    ["(", ")", ","].iter().fold(words, |text, sign| {
        text.replace(&format!(" {sign}"), sign)
            .replace(&format!("{sign} "), sign)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Vec<String> {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(sql).unwrap();
        schema(&conn).unwrap()
    }

    #[test]
    fn how_it_is_written_and_in_how_many_steps_makes_no_difference() {
        let whole = of("CREATE TABLE thing (\n    name,   -- of it\n    age INTEGER\n)");
        let climbed = of(
            "CREATE TABLE it(name); ALTER TABLE it ADD COLUMN age INTEGER;
             ALTER TABLE it RENAME TO thing",
        );
        assert_eq!(whole, climbed);
    }

    #[test]
    fn another_column_type_or_index_makes_one() {
        let whole = of("CREATE TABLE thing (name, age INTEGER)");
        for other in [
            "CREATE TABLE thing (name, age TEXT)",
            "CREATE TABLE thing (age INTEGER, name)",
            "CREATE TABLE thing (name, age INTEGER); CREATE INDEX by_age ON thing (age)",
        ] {
            assert_ne!(whole, of(other), "{other}");
        }
    }
}
