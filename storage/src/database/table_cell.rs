//! One cell of the run table for people: what it shows, and how.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};

use super::{Shown, UserType};

/// A variable of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TableCell {
    /// What to show.
    pub shown: Shown,
    /// Physical units.
    pub units: Option<String>,
    /// Whether it is to stand out.
    pub bold: bool,
    /// Background colour: red, green, blue.
    pub background: Option<[u8; 3]>,
}

/// From a row of the table's query: value, `summary_type` and `attributes` in its columns 3 to 5.
pub(super) fn cell(row: &Row<'_>, user_type: Option<&UserType>) -> rusqlite::Result<TableCell> {
    let attributes = read_attributes(row.get_ref(5)?);
    let text = |key: &str| {
        attributes
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let shown = match (row.get_ref(3)?, text("error")) {
        (ValueRef::Null, Some(message)) => Shown::Error {
            class: text("error_cls").unwrap_or_default(),
            message,
        },
        (ValueRef::Integer(number @ (0 | 1)), _) if user_type == Some(&UserType::Boolean) => {
            Shown::Boolean(number == 1)
        }
        (value, _) => Shown::from_cell(value, row.get_ref(4)?.as_str_or_null().unwrap_or(None)),
    };
    Ok(TableCell {
        shown,
        units: text("units"),
        bold: attributes
            .get("bold")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        background: attributes.get("background").and_then(colour),
    })
}

/// What can't be read as attributes is none.
fn read_attributes(value: ValueRef<'_>) -> Map<String, Value> {
    match value {
        ValueRef::Text(text) => serde_json::from_slice(text).unwrap_or_default(),
        _ => Map::new(),
    }
}

fn colour(value: &Value) -> Option<[u8; 3]> {
    let part = |value: &Value| value.as_u64().and_then(|part| u8::try_from(part).ok());
    let parts: Option<Vec<u8>> = value.as_array()?.iter().map(part).collect();
    parts?.try_into().ok()
}
