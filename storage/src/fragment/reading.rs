//! What a fragment brings to the table.

use std::path::Path;

use hdf5_metno::File;
use serde_json::{Map, Value};

use super::writing::{ERRORS, SUMMARIES};
use crate::error::{Error, Result};
use crate::hdf5::{self, Attribute, Content, words};
use crate::results_dir;
use crate::row::{CellValue, Row};

/// The class of error in the cell of a variable whose summary the table cannot show.
const UNREADABLE: &str = "SummaryError";

/// What the errors and summaries of one fragment may have together, in bytes: a small file can stand for a lot.
const LARGEST: usize = 256 << 20;

/// What a fragment brings to the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summaries {
    /// What made it.
    pub provenance: String,
    /// When the run began, in seconds since 1970.
    pub start_time: Option<f64>,
    /// Variable → its cell.
    pub rows: Vec<(String, Row)>,
}

/// Reads what a fragment brings to the table; of a variable with both, the error counts.
///
/// # Errors
/// [`Error::Results`] if it cannot be read. A summary that the table cannot show is an error in its cell.
pub fn summaries(path: &Path) -> Result<Summaries> {
    results_dir::with_file(path, |path| {
        read(path).map_err(|reason| Error::results(path, reason))
    })
}

fn read(path: &Path) -> hdf5::Outcome<Summaries> {
    let file = hdf5::open(path)?;
    let mut found = Summaries {
        provenance: provenance(&file)?,
        ..Summaries::default()
    };
    let errors = members(&file, ERRORS)?;
    let mut room = Room(LARGEST);
    for name in members(&file, SUMMARIES)? {
        if errors.contains(&name) {
            continue;
        }
        let row = summary(&file, &name).and_then(|row| room.take(row));
        let row = row.unwrap_or_else(|reason| failed(UNREADABLE, &reason));
        match (name.as_str(), &row.value) {
            ("start_time", CellValue::Real(seconds)) => found.start_time = Some(*seconds),
            ("start_time", _) => {}
            _ => found.rows.push((name, row)),
        }
    }
    for name in errors {
        let row = failure(&file, &name).and_then(|row| room.take(row));
        let row = row.unwrap_or_else(|reason| failed(UNREADABLE, &reason));
        found.rows.push((name, row));
    }
    Ok(found)
}

/// How much more of a fragment is taken into memory.
struct Room(usize);

impl Room {
    fn take(&mut self, row: Row) -> hdf5::Outcome<Row> {
        let texts = row.attributes.iter().flat_map(Map::values);
        let texts = texts.filter_map(Value::as_str).map(str::len);
        let size = texts.sum::<usize>()
            + match &row.value {
                CellValue::Blob(bytes) => bytes.len(),
                CellValue::Text(text) => text.len(),
                _ => 0,
            };
        let left = self.0.checked_sub(size);
        self.0 = left.ok_or("all summaries of the job together are too large for the table")?;
        Ok(row)
    }
}

fn provenance(file: &File) -> hdf5::Outcome<String> {
    let all = hdf5::attributes(file)?;
    let found = all.into_iter().find_map(|(name, value)| match value {
        Attribute::Text(text) if name == "provenance" => Some(text),
        _ => None,
    });
    Ok(found.unwrap_or_default())
}

/// Older files lack some of the groups.
fn members(file: &File, group: &str) -> hdf5::Outcome<Vec<String>> {
    match hdf5::own_group(file, group)? {
        Some(group) => group.member_names().map_err(words),
        None => Ok(Vec::new()),
    }
}

fn summary(file: &File, name: &str) -> hdf5::Outcome<Row> {
    let dataset = hdf5::own_dataset(file, SUMMARIES, name)?;
    let mut row = Row {
        summary_method: Some(String::new()),
        ..Row::default()
    };
    let mut attributes = Map::new();
    for (key, value) in hdf5::attributes(&dataset)? {
        match (key.as_str(), value) {
            ("max_diff", Attribute::Number(number)) => {
                row.max_diff = Some(number).filter(|n| !n.is_nan())
            }
            ("summary_method", Attribute::Text(text)) => row.summary_method = Some(text),
            ("summary_type", Attribute::Text(text)) => row.summary_type = Some(text),
            ("max_diff" | "summary_method" | "summary_type", _) => {}
            (_, value) => {
                attributes.insert(key, json(value));
            }
        }
    }
    row.attributes = (!attributes.is_empty()).then_some(attributes);
    let (value, kind) = match hdf5::content(&dataset) {
        Ok(content) => cell_value(content),
        Err(reason) => return Ok(failed(UNREADABLE, &reason)),
    };
    row.value = value;
    row.summary_type = row.summary_type.or_else(|| kind.map(str::to_owned));
    Ok(row)
}

fn cell_value(content: Content) -> (CellValue, Option<&'static str>) {
    match content {
        Content::Text(text) => (CellValue::Text(text), None),
        Content::Integer(number) => (CellValue::Integer(number), None),
        Content::Real(number) => (CellValue::Real(number), None),
        Content::Png(bytes) => (CellValue::Blob(bytes), None),
        Content::Npy(bytes) => (CellValue::Blob(bytes), Some("numpy")),
        Content::Complex(re, im) => {
            let both = re.to_le_bytes().into_iter().chain(im.to_le_bytes());
            (CellValue::Blob(both.collect()), Some("complex"))
        }
    }
}

fn json(value: Attribute) -> Value {
    match value {
        Attribute::Text(text) => text.into(),
        Attribute::Bool(yes) => yes.into(),
        Attribute::Number(number) => number.into(),
        Attribute::Whole(number) => number.into(),
        Attribute::Numbers(numbers) => numbers.into(),
    }
}

fn failure(file: &File, name: &str) -> hdf5::Outcome<Row> {
    let dataset = hdf5::own_dataset(file, ERRORS, name)?;
    let message = match hdf5::content(&dataset) {
        Ok(Content::Text(text)) => text,
        _ => String::new(),
    };
    let class = hdf5::attributes(&dataset)?
        .into_iter()
        .find_map(|(key, value)| match value {
            Attribute::Text(text) if key == "type" => Some(text),
            _ => None,
        });
    Ok(failed(&class.unwrap_or_default(), &message))
}

fn failed(class: &str, message: &str) -> Row {
    let mut attributes = Map::new();
    attributes.insert("error".into(), message.into());
    attributes.insert("error_cls".into(), class.into());
    Row {
        attributes: Some(attributes),
        ..Row::default()
    }
}
