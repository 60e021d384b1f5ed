//! What a facility says when a run's data has arrived.

use runledger_context::run::{Proposal, RunData, RunId, RunNumber};
use serde_json::{Map, Value};

use crate::excerpt::excerpt;
use crate::settings::NotificationSettings;

/// No notification has more bytes. What is read of one takes several times as many.
const LONGEST: usize = 8 << 20;

/// A run's data has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// The run.
    pub run: RunId,
    /// Which part of its data.
    pub data: RunData,
}

/// Why a message cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It says nothing: a topic that is compacted has such messages.
    #[error("it is empty")]
    Empty,
    /// It is longer than any notification.
    #[error("it has {0} bytes, and no notification has more than {LONGEST}")]
    TooLong(usize),
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It is JSON, but no object.
    #[error("it is no JSON object")]
    NotAnObject,
    /// A number is missing.
    #[error("it has no `{0}`")]
    Missing(String),
    /// A number is none that a proposal or run can have.
    #[error(
        "its `{field}` is no whole number from 0 to {}, but {}",
        u32::MAX,
        excerpt(found)
    )]
    BadNumber {
        /// The field that should tell the proposal or the run.
        field: String,
        /// What is there.
        found: String,
    },
}

/// Reads a message. None: it is about something else than the events that announce data.
///
/// # Errors
/// [`Unreadable`], saying what is wrong with it.
pub fn parse(
    payload: &[u8],
    settings: &NotificationSettings,
) -> Result<Option<Notification>, Unreadable> {
    if payload.is_empty() {
        return Err(Unreadable::Empty);
    }
    if payload.len() > LONGEST {
        return Err(Unreadable::TooLong(payload.len()));
    }
    let value: Value =
        serde_json::from_slice(payload).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    let Value::Object(message) = value else {
        return Err(Unreadable::NotAnObject);
    };
    let fields = &settings.fields;
    let event = message.get(&fields.event).and_then(Value::as_str);
    let Some(data) = event.and_then(|event| settings.events.get(event)) else {
        return Ok(None);
    };
    let run = RunId {
        proposal: Proposal(number(&message, &fields.proposal)?),
        number: RunNumber(number(&message, &fields.run)?),
    };
    Ok(Some(Notification { run, data: *data }))
}

/// Numbers may come as numbers or as decimal texts.
fn number(message: &Map<String, Value>, field: &str) -> Result<u32, Unreadable> {
    let missing = || Unreadable::Missing(field.to_owned());
    let found = message.get(field).ok_or_else(missing)?;
    let number = match found {
        Value::Number(number) => number
            .as_u64()
            .and_then(|number| u32::try_from(number).ok()),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Unreadable::BadNumber {
        field: field.to_owned(),
        found: found.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Fields, Profile};

    fn read(message: &str) -> Result<Option<Notification>, Unreadable> {
        let settings = NotificationSettings::of(Profile::Maxwell);
        parse(message.as_bytes(), &settings)
    }

    #[test]
    fn numbers_may_be_texts_and_other_fields_are_passed_over() {
        let expected = Notification {
            run: RunId::new(1234, 7),
            data: RunData::Raw,
        };
        let numbers =
            r#"{"event": "migration_complete", "proposal": 1234, "run": 7, "kind": [1, {}]}"#;
        let texts = r#"{"event": "migration_complete", "proposal": "001234", "run": "0007"}"#;
        assert_eq!(read(numbers), Ok(Some(expected)));
        assert_eq!(read(texts), Ok(Some(expected)));
    }

    #[test]
    fn another_facility_names_the_fields_in_its_own_way() {
        let settings = NotificationSettings {
            events: [("scan-closed".to_owned(), RunData::Raw)].into(),
            fields: Fields {
                event: "what".into(),
                proposal: "visit".into(),
                run: "scan".into(),
            },
            ..NotificationSettings::of(Profile::Maxwell)
        };
        let read = |message: &str| parse(message.as_bytes(), &settings);
        let found = read(r#"{"what": "scan-closed", "visit": "77", "scan": 12}"#);
        assert_eq!(found.unwrap().unwrap().run, RunId::new(77, 12));
        let missing = read(r#"{"what": "scan-closed", "proposal": 77, "scan": 12}"#);
        assert_eq!(missing, Err(Unreadable::Missing("visit".into())));
    }

    #[test]
    fn other_events_are_none_of_our_business() {
        assert_eq!(read(r#"{"event": "coffee", "run": -1}"#), Ok(None));
        assert_eq!(read(r#"{"no": "event"}"#), Ok(None));
    }

    #[test]
    fn of_a_long_value_the_reason_has_the_beginning() {
        let long = "9".repeat(880_000);
        let message =
            format!(r#"{{"event": "migration_complete", "proposal": "{long}", "run": 7}}"#);
        let why = read(&message).unwrap_err().to_string();
        assert!(
            why.starts_with("its `proposal` is no whole number"),
            "{why:.500}"
        );
        assert!(why.ends_with("99…"), "{}", why.len());
        assert!(why.len() < 500, "{}", why.len());
    }

    #[test]
    fn what_cannot_be_a_run_says_why() {
        let with = |run: &str| {
            read(&format!(
                r#"{{"event": "migration_complete", "proposal": 1, "run": {run}}}"#
            ))
        };
        for run in [
            "-3",
            "1e30",
            "1000000000000000000000000000000",
            "7.5",
            "true",
            "null",
            "\"seven\"",
            "\"\"",
            "\"-7\"",
        ] {
            assert!(
                matches!(with(run), Err(Unreadable::BadNumber { ref field, .. }) if field == "run"),
                "{run}: {:?}",
                with(run)
            );
        }
        assert_eq!(
            read(r#"{"event": "migration_complete", "run": 1}"#),
            Err(Unreadable::Missing("proposal".into()))
        );
        assert_eq!(read("[1]"), Err(Unreadable::NotAnObject));
        assert!(matches!(read("not JSON"), Err(Unreadable::NotJson(_))));
        assert_eq!(read(""), Err(Unreadable::Empty));
        let long = " ".repeat(LONGEST + 1);
        assert_eq!(read(&long), Err(Unreadable::TooLong(LONGEST + 1)));
    }
}
