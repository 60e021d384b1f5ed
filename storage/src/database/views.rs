//! The views `runs` and `max_diffs`: one row per run, one column per variable, for people who query.
//!
//! Nothing of ours reads them. They are remade only when a variable is new or another program has remade
//! them, in the transaction that writes, so no reader finds them missing. SQLite's tables and views have at most
//! 2,000 columns: with more variables than [`MOST_VARIABLES`] the first stay and later ones have no column,
//! which costs them nothing but that.
//!
//! Each column is a join of its own with the index of the cells: one look-up for each cell, where DAMNIT's definition
//! compares each variable's name with each cell's. A join has at most 64 tables, so the variables come in blocks, each
//! block a join with the one before, and blocks can be nested only so deep: further variables are asked for one by one.

use std::collections::HashSet;
use std::fmt::Write;

use rusqlite::Connection;

/// SQLite's limit, less the runs' own columns and a few to spare.
pub(super) const MOST_VARIABLES: usize = 1_990;

/// How many variables one join looks up.
const BLOCK: usize = 60;
/// How many variables joins look up.
const JOINED: usize = 10 * BLOCK;

const RUNS_OWN: [&str; 4] = ["proposal", "run", "start_time", "added_at"];
const MAX_DIFFS_OWN: [&str; 2] = ["proposal", "run"];

/// What both definitions begin with after their name: by this they are known as ours, of this form.
const MARK: &str = "AS -- a look-up for each cell\n";

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
    let full = new.is_empty() || columns.len() >= MOST_VARIABLES;
    if full && (columns.is_empty() || are_ours(conn)?) {
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

/// Whether both views are defined as [`remake`] does it, not as DAMNIT or our earlier versions did.
fn are_ours(conn: &Connection) -> rusqlite::Result<bool> {
    let query = "SELECT count(*) = 2 FROM sqlite_schema
                 WHERE type = 'view' AND name IN ('runs', 'max_diffs') AND instr(sql, ?1) > 0";
    conn.prepare_cached(query)?
        .query_row([MARK], |row| row.get(0))
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
    let runs = "SELECT r.proposal, r.run, r.start_time, r.added_at FROM run_info AS r
         WHERE EXISTS (SELECT 1 FROM run_variables AS c WHERE c.proposal = r.proposal AND c.run = r.run)
         GROUP BY r.proposal, r.run";
    let max_diffs = "SELECT proposal, run FROM run_variables GROUP BY proposal, run";
    conn.execute_batch(&format!(
        "DROP VIEW IF EXISTS runs;
         CREATE VIEW runs {MARK}{};
         DROP VIEW IF EXISTS max_diffs;
         CREATE VIEW max_diffs {MARK}{};",
        spread(&RUNS_OWN, runs, variables, "value"),
        spread(&MAX_DIFFS_OWN, max_diffs, variables, "max_diff"),
    ))
}

/// The rows of `query`, whose columns are `own`, each with `column` of its cells. Within, the variables are numbered:
/// their names may differ by case alone.
fn spread(own: &[&str], query: &str, variables: &[String], column: &str) -> String {
    let (joins, rest) = variables.split_at(variables.len().min(JOINED));
    let mut sql = format!("WITH b0 ({}) AS ({query})", own.join(", "));
    let mut columns: Vec<String> = own.iter().map(|&name| name.into()).collect();
    let mut blocks = 0;
    for block in joins.chunks(BLOCK) {
        sql += &joined(blocks, block, &mut columns, column);
        blocks += 1;
    }
    let (own, values) = columns.split_at(own.len());
    let values = values.iter().cloned();
    let values = values.chain(rest.iter().map(|name| looked_up(name, column)));
    let named = values.zip(variables);
    let named = named.map(|(value, name)| format!(",\n{value} AS {}", quoted(name, '"')));
    let named: String = named.collect();
    format!(
        "{sql}\nSELECT {}{named} FROM b{blocks} AS r",
        own.join(", ")
    )
}

fn looked_up(name: &str, column: &str) -> String {
    format!(
        "(SELECT c.{column} FROM run_variables AS c
          WHERE c.proposal = r.proposal AND c.run = r.run AND c.name = {} AND c.version = 1)",
        quoted(name, '\'')
    )
}

/// The block after `b{before}`: its columns, to which those of `block` are added, and the cells that these are from.
fn joined(before: usize, block: &[String], columns: &mut Vec<String>, column: &str) -> String {
    let old = columns.iter().map(|name| format!("r.{name}"));
    let (mut found, mut tables) = (old.collect::<Vec<_>>(), String::new());
    for name in block {
        let at = columns.len();
        found.push(format!("c{at}.{column}"));
        columns.push(format!("v{at}"));
        let _ = write!(
            tables,
            "\nLEFT JOIN run_variables AS c{at} ON c{at}.proposal = r.proposal AND c{at}.run = r.run
             AND c{at}.name = {} AND c{at}.version = 1",
            quoted(name, '\'')
        );
    }
    // The second half has no rows: it keeps SQLite from making one join of all blocks.
    format!(
        ",\nb{} ({}) AS (SELECT {} FROM b{before} AS r{tables}\nUNION ALL SELECT {} WHERE 0)",
        before + 1,
        columns.join(", "),
        found.join(", "),
        vec!["NULL"; columns.len()].join(", ")
    )
}

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}
