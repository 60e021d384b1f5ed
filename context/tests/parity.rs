//! The package `damnit` (the reference) and our runtime say the same of one context file.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use runledger_context::value::{Array, Dtype, Outcome, Summary};
use serde::Deserialize;
use support::{Folder, python, seconds};

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Said {
    errors: BTreeMap<String, (String, String)>,
    summaries: BTreeMap<String, String>,
    units: BTreeMap<String, String>,
}

const FILE: &str = include_str!("parity_context.py");

fn reference(context: &Path) -> Said {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle.py");
    let mut command = Command::new(python());
    let output = command.arg(script).arg(context).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the tests' Python needs damnit==0.4.0:\n{log}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ours(folder: &Folder) -> Said {
    let evaluated = folder.evaluate_within(&seconds(120), |request| {
        request.params.insert("known".into(), 5.into());
    });
    let mut said = Said::default();
    for (name, outcome) in evaluated.outcomes() {
        match outcome {
            Outcome::Failed(why) => {
                let why = (why.class.clone(), why.message.clone());
                said.errors.insert(name.into(), why);
            }
            Outcome::Cell(cell) => {
                let summary = cell
                    .summary
                    .as_ref()
                    .map(|summary| (name.into(), shown(summary)));
                said.summaries.extend(summary);
                said.units
                    .extend(cell.units.clone().map(|units| (name.into(), units)));
            }
        }
    }
    said
}

fn shown(summary: &Summary) -> String {
    match summary {
        Summary::Text(text) => text.clone(),
        Summary::Line { .. } => "line".into(),
        Summary::Picture { .. } | Summary::Png(_) | Summary::Figure(_) => "picture".into(),
        Summary::Array(array) if !array.shape.is_empty() => "array".into(),
        Summary::Array(array) => number(array),
    }
}

/// A number as `oracle.py` prints it.
fn number(array: &Array) -> String {
    let Dtype::Plain(dtype) = &array.dtype else {
        panic!("a plain type");
    };
    let bytes = array.bytes.in_memory().unwrap();
    let value = match dtype.as_str() {
        "<i8" => i64::from_le_bytes(bytes.try_into().unwrap()).to_string(),
        "<f8" => format!("{:?}", f64::from_le_bytes(bytes.try_into().unwrap())),
        "<f4" => format!("{:?}", f32::from_le_bytes(bytes.try_into().unwrap())),
        "<f2" if bytes == [0, 0x38] => "0.5".into(),
        "|b1" if bytes == [1] => "True".into(),
        "<c16" => "(1+2j)".into(),
        other => panic!("a number of type {other}"),
    };
    format!("{dtype} {value}")
}

#[test]
fn errors_summaries_and_units_are_those_of_the_reference() {
    let folder = Folder::with_exactly(FILE);
    let expected = reference(&folder.path().join("context.py"));
    let found = ours(&folder);
    assert!(expected.errors.len() > 15 && expected.summaries.len() > 20);
    assert_eq!(found.units, expected.units);
    assert_eq!(found.summaries, expected.summaries);
    assert_eq!(found.errors, expected.errors);
}
