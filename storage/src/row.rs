//! What one cell of the run table holds, before it has a run and a name.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, Value, ValueRef};

/// One cell of the run table, without its run and name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// What the table shows.
    pub value: CellValue,
    /// Largest minus smallest value of the full data.
    pub max_diff: Option<f64>,
    /// What the bytes of `value` are: `complex`, `numpy`, `trendline`; None for anything else.
    pub summary_type: Option<String>,
    /// The NumPy function that was asked for; empty if none was.
    pub summary_method: Option<String>,
    /// `units`, `bold`, `background`; `error` and `error_cls` of a variable that failed.
    pub attributes: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A value as SQLite keeps it. NaN becomes null when it is written.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum CellValue {
    /// Nothing.
    #[default]
    Null,
    /// An integer; booleans are 0 and 1.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(String),
    /// A PNG, an array, a complex number.
    Blob(Vec<u8>),
}

impl ToSql for CellValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let borrowed = match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        };
        Ok(ToSqlOutput::Borrowed(borrowed))
    }
}

impl FromSql for CellValue {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(match Value::column_result(value)? {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer(number),
            Value::Real(number) => Self::Real(number),
            Value::Text(text) => Self::Text(text),
            Value::Blob(bytes) => Self::Blob(bytes),
        })
    }
}
