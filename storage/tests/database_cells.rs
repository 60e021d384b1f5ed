//! Writing runs and their cells: what is computed, and what people enter.

mod support;

use runledger_storage::database::{COMPUTED, MANUAL, Refusal, UserType, UserVariable};
use runledger_storage::{CellValue, Error, Row};
use serde_json::json;
use support::{answers, database, declared, number, run, sql};

fn user_variable(name: &str) -> UserVariable {
    UserVariable {
        name: name.into(),
        kind: UserType::Boolean,
        title: Some("Good?".into()),
        description: None,
        attributes: None,
    }
}

#[test]
fn a_cell_without_value_keeps_only_why_it_has_none() {
    let (folder, mut database) = database();
    let full = Row {
        value: CellValue::Blob(vec![1, 2]),
        max_diff: Some(3.0),
        summary_type: Some("numpy".into()),
        summary_method: Some("mean".into()),
        attributes: json!({"units": "mJ"}).as_object().cloned(),
    };
    let _ = database
        .save_cells(run(1), &[("x".into(), full.clone())], None, COMPUTED)
        .unwrap();
    let failed = Row {
        value: CellValue::Null,
        attributes: json!({"error": "no such key", "error_cls": "KeyError"})
            .as_object()
            .cloned(),
        ..full
    };
    let _ = database
        .save_cells(run(1), &[("x".into(), failed)], None, COMPUTED)
        .unwrap();
    let cells = answers(
        folder.path(),
        "SELECT version, value, max_diff, provenance, summary_type, summary_method,
                json_extract(attributes, '$.error_cls') FROM run_variables",
    );
    let expected = [
        "Integer(1)",
        "Null",
        "Null",
        "Text(\"context.py\")",
        "Null",
        "Null",
        "Text(\"KeyError\")",
    ];
    assert_eq!(cells, [expected]);
}

#[test]
fn not_a_number_is_stored_as_null_with_its_method() {
    let (folder, mut database) = database();
    let _ = database
        .save_cells(run(1), &[number("x", f64::NAN)], None, COMPUTED)
        .unwrap();
    let cells = answers(
        folder.path(),
        "SELECT value, summary_method FROM run_variables",
    );
    assert_eq!(cells, [["Null", "Text(\"mean\")"]]);
}

#[test]
fn every_write_renews_the_timestamp() {
    let (folder, mut database) = database();
    let _ = database
        .save_cells(run(1), &[number("x", 1.0)], None, COMPUTED)
        .unwrap();
    sql(folder.path())
        .execute_batch("UPDATE run_variables SET timestamp = 5")
        .unwrap();
    let _ = database
        .save_cells(run(1), &[number("x", 1.0)], None, COMPUTED)
        .unwrap();
    let old = answers(
        folder.path(),
        "SELECT * FROM run_variables WHERE timestamp < 1e9",
    );
    assert!(old.is_empty());
}

#[test]
fn a_start_time_is_taken_whenever_it_comes_and_the_time_of_adding_stays() {
    let (folder, mut database) = database();
    database.ensure_run(run(1), 7.0).unwrap();
    let _ = database
        .save_cells(run(1), &[], Some(5.5), COMPUTED)
        .unwrap();
    let _ = database.save_cells(run(1), &[], None, COMPUTED).unwrap();
    database.ensure_run(run(1), 8.0).unwrap();
    let runs = answers(
        folder.path(),
        "SELECT proposal, run, start_time, added_at FROM run_info",
    );
    assert_eq!(
        runs,
        [["Integer(1234)", "Integer(1)", "Real(5.5)", "Real(7.0)"]]
    );
}

#[test]
fn names_that_cannot_be_a_variables_are_refused_and_the_others_saved() {
    let (folder, mut database) = database();
    let rows = [
        number("run", 1.0),
        number("x'; DROP TABLE run_info; --", 1.0),
        number("group.x", 1.0),
        number("comment", 1.0),
    ];
    let saved = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    let expected = [
        ("run".into(), Refusal::Reserved),
        ("x'; DROP TABLE run_info; --".into(), Refusal::NotAName),
        ("comment".into(), Refusal::Reserved),
    ];
    assert_eq!(saved.refused, expected);
    assert_eq!(
        answers(folder.path(), "SELECT name FROM run_variables"),
        [["Text(\"group.x\")"]]
    );
}

#[test]
fn a_submitted_name_gets_a_variable_titled_with_it_and_a_comment_does_not() {
    let (folder, mut database) = database();
    let _ = database
        .save_cells(run(1), &[number("mine", 1.0)], None, "my script")
        .unwrap();
    database.set_comment(run(1), Some("good")).unwrap();
    let variables = answers(folder.path(), "SELECT name, title, type FROM variables");
    assert_eq!(variables, [["Text(\"mine\")", "Text(\"mine\")", "Null"]]);
}

#[test]
fn what_people_entered_is_not_replaced_by_a_computed_value() {
    let (folder, mut database) = database();
    database.add_user_variable(&user_variable("good")).unwrap();
    let _ = database
        .save_cells(run(1), &[number("good", 1.0)], None, MANUAL)
        .unwrap();
    let rows = [number("good", 0.0), number("x", 3.0)];
    let saved = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    assert_eq!(saved.refused, [("good".into(), Refusal::UserVariable)]);
    let changes = database
        .update_computed_variables(&[declared("good", &[])])
        .unwrap();
    assert_eq!(changes.refused, [("good".into(), Refusal::UserVariable)]);
    assert!(changes.changed.is_empty());
    assert_eq!(database.user_variables().unwrap(), [user_variable("good")]);
    let cells = answers(
        folder.path(),
        "SELECT name, value FROM run_variables ORDER BY name",
    );
    assert_eq!(
        cells,
        [
            ["Text(\"good\")", "Real(1.0)"],
            ["Text(\"x\")", "Real(3.0)"]
        ]
    );
}

#[test]
fn a_user_variable_is_added_once_and_under_a_proper_name() {
    let (_folder, mut database) = database();
    database.add_user_variable(&user_variable("good")).unwrap();
    let again = database
        .add_user_variable(&user_variable("good"))
        .unwrap_err();
    assert!(matches!(again, Error::VariableExists { .. }));
    for name in ["comment", "start_time", "a b"] {
        let refused = database
            .add_user_variable(&user_variable(name))
            .unwrap_err();
        assert!(matches!(refused, Error::BadVariableName { .. }), "{name}");
    }
}
