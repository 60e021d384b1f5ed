//! Looking for what is wrong with a database, without changing anything.

use std::collections::BTreeSet;
use std::path::Path;

use runledger_context::run::RunId;
use runledger_migrations::{Format, RUNS};
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::{Problem, files, looking, plan_of};
use crate::database::views;
use crate::error::{Error, Result};

/// So many findings of SQLite's are told.
const FINDINGS: u32 = 5;

/// Everything that is wrong with the database in `dir`, but for what is in its run files:
/// [`check_run_file`](super::check_run_file) tells that. Changes nothing.
///
/// # Errors
/// As for [`plan`](super::plan).
pub fn check(dir: &Path) -> Result<Vec<Problem>> {
    let (conn, path) = looking(dir)?;
    let sqlite = |error| Error::sqlite(&path, error);
    let mut problems = damages(&conn).map_err(sqlite)?;
    if !problems.is_empty() {
        return Ok(problems);
    }
    let format = plan_of(&conn, &path)?.format;
    if let Format::Numbered(version) = format {
        problems = schema(&conn, version).map_err(sqlite)?;
        if problems.is_empty() {
            problems = rows(&conn, version).map_err(sqlite)?;
        }
    }
    if let Some(run) = twice(&conn, format).map_err(sqlite)? {
        problems.push(Problem::Twice(run));
    }
    let known = runs(&conn, format).map_err(sqlite)?;
    problems.extend(files::without_run(dir, &known)?);
    Ok(problems)
}

fn damages(conn: &Connection) -> rusqlite::Result<Vec<Problem>> {
    let findings = match findings(conn) {
        // So damaged that the search itself ends there.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            vec![error.to_string()]
        }
        findings => findings?,
    };
    let wrong = findings.into_iter().filter(|finding| finding != "ok");
    Ok(wrong.map(Problem::Damaged).collect())
}

fn findings(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(&format!("PRAGMA integrity_check({FINDINGS})"))?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// What the steps up to `version` make, and the database lacks; what later ones have left half-done.
fn schema(conn: &Connection, version: u32) -> rusqlite::Result<Vec<Problem>> {
    let (wanted, found) = (parts(&model(version)?)?, parts(conn)?);
    let missing = wanted.difference(&found).cloned().map(Problem::Missing);
    let mut problems: Vec<Problem> = missing.collect();
    for step in RUNS.after(version) {
        if let Some(done) = step.done
            && conn.prepare(done)?.exists([])?
        {
            problems.push(Problem::HalfUpgraded(step.version));
        }
    }
    Ok(problems)
}

/// An empty database of this version.
fn model(version: u32) -> rusqlite::Result<Connection> {
    let model = Connection::open_in_memory()?;
    for step in RUNS.steps.iter().filter(|step| step.version <= version) {
        model.execute_batch(step.sql)?;
    }
    Ok(model)
}

/// The tables with their columns, and the rest by name.
fn parts(conn: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let query = "
        SELECT 'the ' || type || ' ' || name FROM sqlite_schema
        UNION SELECT 'the column ' || c.name || ' of ' || s.name
        FROM sqlite_schema AS s, pragma_table_info(s.name) AS c WHERE s.type = 'table'";
    let mut statement = conn.prepare(query)?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The condition that two columns can number a run.
fn is_run(proposal: &str, run: &str) -> String {
    [proposal, run]
        .map(|it| {
            format!(
                "typeof({it}) = 'integer' AND {it} BETWEEN 0 AND {}",
                u32::MAX
            )
        })
        .join(" AND ")
}

fn rows(conn: &Connection, version: u32) -> rusqlite::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let (run, cell) = (is_run("proposal", "run"), "typeof(name) = 'text'");
    problems.extend(wrong_types(conn, "run_info", &run)?);
    problems.extend(wrong_types(
        conn,
        "run_variables",
        &format!("{run} AND {cell}"),
    )?);
    problems.extend(without_run(conn)?);
    problems.extend(unlisted(conn)?);
    if version >= 3 {
        problems.extend(loose_tags(conn)?);
    }
    problems.extend(triggers(conn, version)?);
    for (view, missing) in views::missing(conn)? {
        problems.push(Problem::StaleView { view, missing });
    }
    Ok(problems)
}

/// Those that the format does not have.
fn triggers(conn: &Connection, version: u32) -> rusqlite::Result<Option<Problem>> {
    let wanted = parts(&model(version)?)?;
    let found = parts(conn)?
        .into_iter()
        .filter(|part| !wanted.contains(part));
    let names = found.filter_map(|part| part.strip_prefix("the trigger ").map(str::to_owned));
    let names: Vec<String> = names.collect();
    Ok((!names.is_empty()).then_some(Problem::Triggers(names)))
}

fn wrong_types(
    conn: &Connection,
    table: &'static str,
    is_right: &str,
) -> rusqlite::Result<Option<Problem>> {
    let query = format!("SELECT count(*) FROM {table} WHERE NOT ({is_right})");
    let count = conn.query_row(&query, [], |row| row.get(0))?;
    Ok((count > 0).then_some(Problem::WrongTypes { table, count }))
}

fn without_run(conn: &Connection) -> rusqlite::Result<Option<Problem>> {
    let query = format!(
        "SELECT count(*), coalesce(c.proposal, 0), coalesce(c.run, 0) FROM run_variables AS c
         WHERE {} AND NOT EXISTS
             (SELECT 1 FROM run_info AS r WHERE r.proposal = c.proposal AND r.run = c.run)",
        is_run("c.proposal", "c.run")
    );
    conn.query_row(&query, [], |row| {
        let count = row.get(0)?;
        let example = RunId::new(row.get(1)?, row.get(2)?);
        Ok((count > 0).then_some(Problem::CellsWithoutRun { count, example }))
    })
}

fn unlisted(conn: &Connection) -> rusqlite::Result<Option<Problem>> {
    let query = "
        SELECT DISTINCT name FROM run_variables
        WHERE typeof(name) = 'text' AND name <> 'comment' AND name NOT IN (SELECT name FROM variables) ORDER BY 1";
    let mut statement = conn.prepare(query)?;
    let names: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((!names.is_empty()).then_some(Problem::Unlisted(names)))
}

fn loose_tags(conn: &Connection) -> rusqlite::Result<Option<Problem>> {
    let query = "
        SELECT (SELECT count(*) FROM tags WHERE id NOT IN (SELECT tag_id FROM variable_tags))
             + (SELECT count(*) FROM variable_tags
                WHERE variable_name NOT IN (SELECT name FROM variables) OR tag_id NOT IN (SELECT id FROM tags))";
    let count = conn.query_row(query, [], |row| row.get(0))?;
    Ok((count > 0).then_some(Problem::LooseTags(count)))
}

/// A run that has two rows.
pub(super) fn twice(conn: &Connection, format: Format) -> rusqlite::Result<Option<String>> {
    let (table, number) = table_of_runs(format);
    let query = format!(
        "SELECT 'run ' || {number} || ' of proposal ' || proposal FROM {table}
         WHERE proposal IS NOT NULL AND {number} IS NOT NULL
         GROUP BY proposal, {number} HAVING count(*) > 1 LIMIT 1"
    );
    conn.query_row(&query, [], |row| row.get(0)).optional()
}

/// Where a format has its runs, and what their numbers are called.
fn table_of_runs(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Wide => ("runs", "runnr"),
        _ => ("run_info", "run"),
    }
}

/// The runs that have a row.
pub(super) fn runs(conn: &Connection, format: Format) -> rusqlite::Result<BTreeSet<RunId>> {
    let (table, number) = table_of_runs(format);
    let query = format!(
        "SELECT proposal, {number} FROM {table} WHERE {}",
        is_run("proposal", number)
    );
    let mut statement = conn.prepare(&query)?;
    let runs = statement.query_map([], |row| Ok(RunId::new(row.get(0)?, row.get(1)?)))?;
    runs.collect()
}
