//! Variables, and the views that show them.

mod support;

use runledger_context::run::RunId;
use runledger_storage::database::COMPUTED;
use support::{answers, database, declared, number, run, sql};

#[test]
fn only_variables_that_are_new_or_changed_are_reported_and_tags_count() {
    let (folder, mut database) = database();
    let first = [declared("a", &["x", "y"]), declared("b", &[])];
    let changes = database.update_computed_variables(&first).unwrap();
    assert_eq!(changes.changed, first);
    let swapped = [declared("a", &["y", "x"]), declared("b", &[])];
    assert!(
        database
            .update_computed_variables(&swapped)
            .unwrap()
            .changed
            .is_empty()
    );
    let fewer = [declared("a", &["y"]), declared("b", &[])];
    let changes = database.update_computed_variables(&fewer).unwrap();
    assert_eq!(changes.changed, fewer[..1]);
    assert_eq!(
        answers(folder.path(), "SELECT name FROM tags"),
        [["Text(\"y\")"]]
    );
    assert!(
        database
            .update_computed_variables(&[])
            .unwrap()
            .changed
            .is_empty()
    );
    assert_eq!(
        answers(folder.path(), "SELECT count(*) FROM variables"),
        [["Integer(2)"]]
    );
}

#[test]
fn the_views_keep_two_proposals_with_one_run_number_apart() {
    let (folder, mut database) = database();
    for (proposal, value) in [(1, 10.0), (2, 20.0)] {
        let run = RunId::new(proposal, 7);
        let _ = database
            .save_cells(run, &[number("x.y", value)], None, COMPUTED)
            .unwrap();
    }
    let rows = answers(
        folder.path(),
        "SELECT proposal, run, \"x.y\" FROM runs ORDER BY proposal",
    );
    assert_eq!(
        rows,
        [
            ["Integer(1)", "Integer(7)", "Real(10.0)"],
            ["Integer(2)", "Integer(7)", "Real(20.0)"]
        ]
    );
    assert_eq!(answers(folder.path(), "SELECT * FROM max_diffs").len(), 2);
}

#[test]
fn the_views_are_remade_only_when_a_variable_is_new() {
    let (folder, mut database) = database();
    let version = || answers(folder.path(), "PRAGMA schema_version");
    let rows = [
        number("Energy", 1.0),
        number("energy", 2.0),
        number("x", 3.0),
    ];
    let _ = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    database.set_comment(run(1), Some("good")).unwrap();
    let before = version();
    let _ = database.save_cells(run(2), &rows, None, COMPUTED).unwrap();
    database.set_comment(run(2), Some("good")).unwrap();
    assert_eq!(version(), before);
    let _ = database
        .save_cells(run(2), &[number("new", 4.0)], None, COMPUTED)
        .unwrap();
    assert_ne!(version(), before);
    let rows = answers(
        folder.path(),
        "SELECT \"Energy\", \"energy:1\", x, comment, new FROM runs WHERE run = 2",
    );
    assert_eq!(
        rows,
        [[
            "Real(1.0)",
            "Real(2.0)",
            "Real(3.0)",
            "Text(\"good\")",
            "Real(4.0)"
        ]]
    );
}

/// What SQLite does for a query, step by step.
fn plan(folder: &std::path::Path, query: &str) -> Vec<String> {
    let steps = answers(folder, &format!("EXPLAIN QUERY PLAN {query}"));
    steps.into_iter().map(|step| step[3].clone()).collect()
}

#[test]
fn the_views_look_each_cell_up_instead_of_comparing_every_name_with_every_cell() {
    let (folder, mut database) = database();
    let rows: Vec<_> = (0..150)
        .map(|at| number(&format!("n{at}"), f64::from(at)))
        .collect();
    let _ = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    // Which runs there are, `max_diffs` takes from the index of the cells.
    for (view, scans) in [("runs", 0), ("max_diffs", 1)] {
        let all = plan(folder.path(), &format!("SELECT * FROM {view}"));
        let found = |what: &str| all.iter().filter(|step| step.contains(what)).count();
        let by_name = "variable_version (proposal=? AND run=? AND name=? AND version=?)";
        assert_eq!(found(by_name), 150, "{all:?}");
        assert_eq!(found("SCAN run_variables"), scans, "{all:?}");
        assert_eq!(found("TEMP B-TREE") + found("AUTOMATIC"), 0, "{all:?}");
    }
    assert_eq!(
        answers(folder.path(), "SELECT n0, n59, n60, n149 FROM runs"),
        [["Real(0.0)", "Real(59.0)", "Real(60.0)", "Real(149.0)"]]
    );
}

#[test]
fn views_as_damnit_defines_them_are_remade_at_the_next_change() {
    let (folder, mut database) = database();
    let rows = [number("a", 1.0), number("b", 2.0)];
    let _ = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    let definitions = || {
        answers(
            folder.path(),
            "SELECT sql FROM sqlite_schema WHERE type = 'view'",
        )
    };
    let ours = definitions();
    sql(folder.path())
        .execute_batch(
            "DROP VIEW runs; DROP VIEW max_diffs;
             CREATE VIEW runs AS SELECT r.proposal, r.run, start_time, added_at,
                 max(CASE WHEN name = 'a' THEN value END) AS 'a', max(CASE WHEN name = 'b' THEN value END) AS 'b'
                 FROM run_variables AS c JOIN run_info AS r ON c.run = r.run GROUP BY r.run;
             CREATE VIEW max_diffs AS SELECT proposal, run,
                 max(CASE WHEN name = 'a' THEN max_diff END) AS 'a', max(CASE WHEN name = 'b' THEN max_diff END) AS 'b'
                 FROM run_variables GROUP BY run",
        )
        .unwrap();
    assert_ne!(definitions(), ours);
    let _ = database.save_cells(run(2), &rows, None, COMPUTED).unwrap();
    assert_eq!(definitions(), ours);
}

#[test]
fn views_that_another_program_lost_come_back_with_every_variable() {
    let (folder, mut database) = database();
    let _ = database
        .save_cells(
            run(1),
            &[number("a", 1.0), number("b", 2.0)],
            None,
            COMPUTED,
        )
        .unwrap();
    sql(folder.path())
        .execute_batch("DROP VIEW max_diffs")
        .unwrap();
    let _ = database
        .save_cells(run(1), &[number("a", 3.0)], None, COMPUTED)
        .unwrap();
    assert_eq!(
        answers(folder.path(), "SELECT a, b FROM runs"),
        [["Real(3.0)", "Real(2.0)"]]
    );
    assert_eq!(
        answers(folder.path(), "SELECT a, b FROM max_diffs"),
        [["Null", "Null"]]
    );
}

#[test]
fn more_variables_than_sqlite_has_columns_are_saved_all_the_same() {
    let (folder, mut database) = database();
    let rows: Vec<_> = (0..2_100)
        .map(|at| number(&format!("v{at}"), f64::from(at)))
        .collect();
    let _ = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    let _ = database
        .save_cells(run(1), &[number("late", 1.0)], None, COMPUTED)
        .unwrap();
    assert_eq!(
        answers(folder.path(), "SELECT count(*) FROM run_variables"),
        [["Integer(2101)"]]
    );
    assert_eq!(
        answers(folder.path(), "SELECT v0, v599, v600, v1989 FROM runs"),
        [["Real(0.0)", "Real(599.0)", "Real(600.0)", "Real(1989.0)"]]
    );
    assert_eq!(database.table(None).unwrap().columns.len(), 2_101);
}
