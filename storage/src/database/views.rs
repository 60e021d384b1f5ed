//! The views `runs` and `max_diffs`: one row per run, one column per variable, for people who query.
//!
//! Nothing of ours reads them. They are remade only when a variable is new, in the transaction that
//! brings it, so no reader finds them missing. SQLite's tables and views have at most 2,000 columns:
//! with more variables than [`MOST_VARIABLES`] the first stay and later ones have no column, which
//! costs them nothing but that.

use std::collections::HashSet;

use rusqlite::Connection;

/// SQLite's limit, less the runs' own columns and a few to spare.
pub(super) const MOST_VARIABLES: usize = 1_990;

const RUNS_OWN: [&str; 4] = ["proposal", "run", "start_time", "added_at"];
const MAX_DIFFS_OWN: [&str; 2] = ["proposal", "run"];

/// Makes sure that the views have a column for each of `names`. Costs nothing that grows with the
/// number of cells, except for the first variable of a database.
pub(super) fn include(conn: &Connection, names: &[&str]) -> rusqlite::Result<()> {
    let mut columns = shown(conn);
    let mut known: HashSet<&str> = columns.iter().map(String::as_str).collect();
    let new: Vec<String> = names
        .iter()
        .filter(|name| known.insert(name))
        .map(|name| (*name).to_owned())
        .collect();
    if new.is_empty() || columns.len() >= MOST_VARIABLES {
        return Ok(());
    }
    if columns.is_empty() {
        columns = all_names(conn)?;
    } else {
        columns.extend(new);
    }
    columns.truncate(MOST_VARIABLES);
    remake(conn, &columns)
}

/// Makes the views of a database that was converted.
pub(crate) fn include_all(conn: &Connection) -> rusqlite::Result<()> {
    let mut columns = all_names(conn)?;
    columns.truncate(MOST_VARIABLES);
    remake(conn, &columns)
}

/// The views that lack variables, and which.
pub(crate) fn missing(conn: &Connection) -> rusqlite::Result<Vec<(&'static str, Vec<String>)>> {
    let mut names = all_names(conn)?;
    names.truncate(MOST_VARIABLES);
    let mut stale = Vec::new();
    for (view, own) in [("runs", &RUNS_OWN[..]), ("max_diffs", &MAX_DIFFS_OWN[..])] {
        // A view that cannot even be read lacks them all.
        let shown = columns_of(conn, view, own).unwrap_or_default();
        let lacks = |name: &&String| !shown.contains(name);
        let missing: Vec<String> = names.iter().filter(lacks).cloned().collect();
        if !missing.is_empty() {
            stale.push((view, missing));
        }
    }
    Ok(stale)
}

/// The variables that both views show; none if they are missing, broken or disagree, as another
/// program leaves them that is interrupted while it remakes them.
fn shown(conn: &Connection) -> Vec<String> {
    let runs = columns_of(conn, "runs", &RUNS_OWN);
    let max_diffs = columns_of(conn, "max_diffs", &MAX_DIFFS_OWN);
    match (runs, max_diffs) {
        (Ok(runs), Ok(max_diffs)) if runs == max_diffs => runs,
        _ => Vec::new(),
    }
}

fn columns_of(conn: &Connection, view: &str, own: &[&str]) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
    let columns = statement.query_map([view], |row| row.get(0))?;
    let columns: Vec<String> = columns.collect::<rusqlite::Result<_>>()?;
    Ok(columns
        .iter()
        .skip(own.len())
        .map(|column| as_variable(column).to_owned())
        .collect())
}

/// SQLite's columns do not differ by case alone: it calls `energy` beside `Energy` `energy:1`.
fn as_variable(column: &str) -> &str {
    column.split(':').next().unwrap_or(column)
}

fn all_names(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(
        "SELECT name FROM variables
         UNION SELECT DISTINCT name FROM run_variables WHERE typeof(name) = 'text'",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

fn remake(conn: &Connection, variables: &[String]) -> rusqlite::Result<()> {
    conn.execute_batch(&format!(
        "DROP VIEW IF EXISTS runs;
         CREATE VIEW runs AS
             SELECT r.proposal AS proposal, r.run AS run, r.start_time AS start_time,
                    r.added_at AS added_at{}
             FROM run_variables AS c
             INNER JOIN run_info AS r ON c.proposal = r.proposal AND c.run = r.run
             GROUP BY r.proposal, r.run;
         DROP VIEW IF EXISTS max_diffs;
         CREATE VIEW max_diffs AS
             SELECT c.proposal AS proposal, c.run AS run{}
             FROM run_variables AS c
             GROUP BY c.proposal, c.run;",
        spread(variables, "value"),
        spread(variables, "max_diff"),
    ))
}

/// One aggregate per variable that picks its own cell among a run's.
fn spread(variables: &[String], column: &str) -> String {
    variables
        .iter()
        .map(|name| {
            let (text, identifier) = (quoted(name, '\''), quoted(name, '"'));
            format!(",\nmax(CASE WHEN c.name = {text} THEN c.{column} END) AS {identifier}")
        })
        .collect()
}

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}
