//! The table as it is shown: its runs, columns and cells.

mod support;

use runledger_storage::database::{COMPUTED, Shown};
use runledger_storage::{CellValue, Row};
use serde_json::json;
use support::{database, declared, number, run};

#[test]
fn the_table_has_every_run_and_shows_each_kind_of_cell() {
    let (_folder, mut database) = database();
    let cell = |value, summary_type: Option<&str>, attributes: serde_json::Value| Row {
        value,
        summary_type: summary_type.map(str::to_owned),
        attributes: attributes.as_object().cloned(),
        ..Row::default()
    };
    let complex = [1.0_f64.to_le_bytes(), 2.0_f64.to_le_bytes()].concat();
    let rows: Vec<(String, Row)> = vec![
        (
            "number".into(),
            cell(
                CellValue::Real(1.5),
                None,
                json!({"units": "mJ", "bold": true, "background": [1, 2, 3]}),
            ),
        ),
        (
            "text".into(),
            cell(CellValue::Text("hi".into()), None, json!({})),
        ),
        (
            "image".into(),
            cell(CellValue::Blob(vec![0x89; 100]), None, json!({})),
        ),
        (
            "line".into(),
            cell(
                CellValue::Blob(vec![0x93; 100]),
                Some("trendline"),
                json!({}),
            ),
        ),
        (
            "array".into(),
            cell(CellValue::Blob(vec![0x93; 100]), Some("numpy"), json!({})),
        ),
        (
            "z".into(),
            cell(CellValue::Blob(complex), Some("complex"), json!({})),
        ),
        (
            "bad".into(),
            cell(
                CellValue::Null,
                None,
                json!({"error": "no", "error_cls": "KeyError"}),
            ),
        ),
    ];
    let _ = database
        .save_cells(run(2), &rows, Some(9.0), COMPUTED)
        .unwrap();
    database.set_comment(run(2), Some("fine")).unwrap();
    database.ensure_run(run(1), 3.0).unwrap();
    let table = database.table(None).unwrap();
    let [planned, taken] = &table.rows[..] else {
        panic!("{table:?}")
    };
    assert_eq!(
        (planned.run, planned.start_time, planned.added_at),
        (run(1), None, Some(3.0))
    );
    assert_eq!(
        (taken.start_time, taken.comment.as_deref()),
        (Some(9.0), Some("fine"))
    );
    let shown: Vec<String> = taken
        .cells
        .iter()
        .map(|cell| cell.as_ref().unwrap().shown.to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "1.5",
            "hi",
            "<image>",
            "<trendline>",
            "<array>",
            "1+2j",
            "KeyError: no"
        ]
    );
    let first = taken.cells[0].as_ref().unwrap();
    assert_eq!(
        (first.units.as_deref(), first.bold, first.background),
        (Some("mJ"), true, Some([1, 2, 3]))
    );
}

#[test]
fn columns_are_chosen_by_name_or_title() {
    let (_folder, mut database) = database();
    let _ = database
        .update_computed_variables(&[declared("a", &[]), declared("b", &[])])
        .unwrap();
    let _ = database
        .save_cells(run(1), &[number("b", 2.0)], None, COMPUTED)
        .unwrap();
    let wanted = ["B", "run", "a"].map(str::to_owned);
    let table = database.table(Some(&wanted)).unwrap();
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(
        table.rows[0].cells[0].as_ref().unwrap().shown,
        Shown::Number(2.0)
    );
    assert_eq!(table.rows[0].cells[1], None);
    let missing = database.table(Some(&["nope".into()])).unwrap_err();
    assert!(missing.to_string().contains("nope"));
}
