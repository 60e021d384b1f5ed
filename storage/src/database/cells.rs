//! Writing cells: the values of one run, all of them or none.

use runledger_context::run::RunId;
use runledger_steps::{Step, reached};
use rusqlite::{Connection, params};

use super::names::{COMMENT, Refusal, check_cell};
use super::runs::ensure_run;
use super::user_variables::is_user_variable;
use super::{Database, now, variables, views};
use crate::error::Result;
use crate::row::{CellValue, Row};

/// The provenance of what the context file computed.
pub const COMPUTED: &str = "context.py";
/// The provenance of what a person entered.
pub const MANUAL: &str = "manual-input";

/// What became of the cells of one call. Those that were not refused are saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Saved {
    /// The cells that were left out, and why.
    pub refused: Vec<(String, Refusal)>,
}

impl Database {
    /// Saves one run's cells, and its start time (seconds since 1970) if that is known. The run is added
    /// if it is new, and so are variables, titled with their name.
    ///
    /// Computed cells do not replace what people enter by hand: those are refused, one by one.
    ///
    /// # Errors
    /// SQLite's; then nothing is saved.
    pub fn save_cells(
        &mut self,
        run: RunId,
        rows: &[(String, Row)],
        start_time: Option<f64>,
        provenance: &str,
    ) -> Result<Saved> {
        let time = now();
        let saved = self.write(|conn| {
            ensure_run(conn, run, time, start_time)?;
            let mut saved = Saved::default();
            let mut names = Vec::new();
            for (name, row) in rows {
                match refusal(conn, name, row, provenance)? {
                    Some(why) => saved.refused.push((name.clone(), why)),
                    None => {
                        put(conn, run, name, row, provenance, time)?;
                        names.push(name.as_str());
                    }
                }
            }
            variables::introduce(conn, &names)?;
            views::include(conn, &names)?;
            Ok(saved)
        })?;
        reached(Step::RowsCommitted);
        Ok(saved)
    }

    /// Sets or removes the users' comment on a run, which is added if it is new.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_comment(&mut self, run: RunId, comment: Option<&str>) -> Result<()> {
        let row = Row {
            value: comment.map_or(CellValue::Null, |text| CellValue::Text(text.into())),
            summary_method: Some(String::new()),
            ..Row::default()
        };
        self.save_cells(run, &[(COMMENT.into(), row)], None, "")
            .map(drop)
    }
}

fn refusal(
    conn: &Connection,
    name: &str,
    row: &Row,
    provenance: &str,
) -> rusqlite::Result<Option<Refusal>> {
    if let Err(why) = check_cell(name) {
        return Ok(Some(why));
    }
    let computed = provenance == COMPUTED;
    let is_comment = name == COMMENT;
    let is_text = matches!(row.value, CellValue::Null | CellValue::Text(_));
    if is_comment && (computed || !is_text) {
        return Ok(Some(Refusal::Reserved));
    }
    let by_hand = computed && is_user_variable(conn, name)?;
    Ok(by_hand.then_some(Refusal::UserVariable))
}

/// A cell without value keeps nothing else of an older one, except what says why it has none.
fn put(
    conn: &Connection,
    run: RunId,
    name: &str,
    row: &Row,
    provenance: &str,
    time: f64,
) -> rusqlite::Result<()> {
    let has_value = row.value != CellValue::Null;
    let attributes = row.attributes.as_ref().filter(|map| !map.is_empty());
    let attributes = attributes.map(|map| serde_json::Value::Object(map.clone()).to_string());
    let mut statement = conn.prepare_cached(
        "INSERT INTO run_variables (proposal, run, name, version, value, timestamp, max_diff,
                                    provenance, summary_type, summary_method, attributes)
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (proposal, run, name, version) DO UPDATE SET
             value = excluded.value, timestamp = excluded.timestamp, max_diff = excluded.max_diff,
             provenance = excluded.provenance, summary_type = excluded.summary_type,
             summary_method = excluded.summary_method, attributes = excluded.attributes",
    )?;
    statement.execute(params![
        run.proposal.0,
        run.number.0,
        name,
        row.value,
        time,
        row.max_diff.filter(|_| has_value),
        provenance,
        row.summary_type.as_ref().filter(|_| has_value),
        row.summary_method.as_ref().filter(|_| has_value),
        attributes,
    ])?;
    Ok(())
}
