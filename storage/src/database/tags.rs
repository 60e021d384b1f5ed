//! Which variables have which tags. A tag without variables goes, as the schema's trigger says, which we do not
//! run: see [`runledger_migrations::connect`].

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

/// The tags of a variable.
pub(super) fn tags_of(conn: &Connection, variable: &str) -> rusqlite::Result<BTreeSet<String>> {
    conn.prepare_cached(
        "SELECT tags.name FROM tags
         INNER JOIN variable_tags ON variable_tags.tag_id = tags.id
         WHERE variable_tags.variable_name = ?1",
    )?
    .query_map([variable], |row| row.get(0))?
    .collect()
}

/// Gives a variable, which must be in `variables`, these tags and no others.
pub(super) fn set_tags(
    conn: &Connection,
    variable: &str,
    tags: &BTreeSet<String>,
) -> rusqlite::Result<()> {
    let existing = tags_of(conn, variable)?;
    for tag in tags.difference(&existing) {
        add(conn, variable, tag)?;
    }
    for tag in existing.difference(tags) {
        remove(conn, variable, tag)?;
    }
    Ok(())
}

fn add(conn: &Connection, variable: &str, tag: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO tags (name) VALUES (?1) ON CONFLICT (name) DO NOTHING")?
        .execute([tag])?;
    conn.prepare_cached(
        "INSERT INTO variable_tags (variable_name, tag_id)
         SELECT ?1, id FROM tags WHERE name = ?2",
    )?
    .execute(params![variable, tag])?;
    Ok(())
}

fn remove(conn: &Connection, variable: &str, tag: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "DELETE FROM variable_tags
         WHERE variable_name = ?1 AND tag_id = (SELECT id FROM tags WHERE name = ?2)",
    )?
    .execute(params![variable, tag])?;
    conn.prepare_cached(
        "DELETE FROM tags WHERE name = ?1 AND id NOT IN (SELECT tag_id FROM variable_tags)",
    )?
    .execute([tag])?;
    Ok(())
}
