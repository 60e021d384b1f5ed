//! Showing and changing settings, the same way for a database and for the listener.

use runledger_storage::CellValue;

use crate::arguments::KeyValue;
use crate::failure::{Failure, Result};

/// Something with settings.
pub(super) trait Settings {
    /// What it is, for messages.
    fn what(&self) -> String;
    /// All of them, in order.
    fn all(&self) -> Result<Vec<(String, CellValue)>>;
    /// Sets one.
    fn set(&mut self, key: &str, value: CellValue) -> Result;
    /// Removes one; false if it was not there.
    fn delete(&mut self, key: &str) -> Result<bool>;
}

/// Does what `db-config` or `listener config` asks for.
pub(super) fn run(settings: &mut dyn Settings, change: &KeyValue) -> Result {
    let Some(key) = change.key.as_ref().map(|key| key.replace('-', "_")) else {
        return list(settings);
    };
    match &change.value {
        _ if change.delete => delete(settings, &key),
        Some(text) => settings.set(&key, value(text, change.num)?),
        None => show(settings, &key),
    }
}

fn list(settings: &dyn Settings) -> Result {
    for (key, value) in settings.all()? {
        println!("{key}={}", literal(&value));
    }
    Ok(())
}

fn show(settings: &dyn Settings, key: &str) -> Result {
    let found = settings.all()?.into_iter().find(|(name, _)| name == key);
    let (_, value) = found.ok_or_else(|| missing(settings, key))?;
    println!("{}", literal(&value));
    Ok(())
}

fn delete(settings: &mut dyn Settings, key: &str) -> Result {
    match settings.delete(key)? {
        true => Ok(()),
        false => Err(missing(settings, key)),
    }
}

fn missing(settings: &dyn Settings, key: &str) -> Failure {
    Failure::new(format!("{} has no setting {key}", settings.what()))
}

fn value(text: &str, as_number: bool) -> Result<CellValue> {
    if !as_number {
        return Ok(CellValue::Text(text.to_owned()));
    }
    let whole = text.parse().map(CellValue::Integer);
    whole
        .or_else(|_| text.parse().map(CellValue::Real))
        .map_err(|_| Failure::usage(format!("{text:?} is no number")))
}

/// A value as Python writes it, which is how users know these listings.
fn literal(value: &CellValue) -> String {
    match value {
        CellValue::Null => "None".into(),
        CellValue::Integer(number) => number.to_string(),
        CellValue::Real(number) => format!("{number:?}"),
        CellValue::Text(text) => quoted(text),
        CellValue::Blob(bytes) => format!("<{} bytes>", bytes.len()),
    }
}

/// In single quotes, unless the text has some and no double ones.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '\\' => "\\\\".into(),
            '\n' => "\\n".into(),
            '\t' => "\\t".into(),
            '\r' => "\\r".into(),
            c if c == quote => format!("\\{c}"),
            c => c.to_string(),
        })
        .collect();
    format!("{quote}{escaped}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_python_does() {
        assert_eq!(quoted("01:00:00"), "'01:00:00'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("both ' and \""), "'both \\' and \"'");
        assert_eq!(quoted("a\\b\n"), "'a\\\\b\\n'");
    }

    #[test]
    fn a_number_is_whole_where_it_can_be() {
        assert_eq!(value("8", true).ok(), Some(CellValue::Integer(8)));
        assert_eq!(value("0.5", true).ok(), Some(CellValue::Real(0.5)));
        assert_eq!(value("8", false).ok(), Some(CellValue::Text("8".into())));
        assert!(value("eight", true).is_err());
    }
}
