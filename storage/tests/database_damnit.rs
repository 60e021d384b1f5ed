//! Our databases in the hands of DAMNIT's own code, and its databases in ours.

mod support;

use runledger_storage::database::{COMPUTED, DeclaredVariable, Refusal, UserType};
use runledger_storage::{CellValue, Database, Row};
use serde_json::json;
use support::{PROPOSAL, answers, ask, database, number, python, run, shape, sql};

#[test]
fn a_new_database_has_the_very_schema_of_damnit() {
    let Some(python) = python() else { return };
    let theirs = tempfile::tempdir().unwrap();
    ask(
        &python,
        theirs.path(),
        "from pathlib import Path
from damnit.backend.db import DamnitDB
DamnitDB.from_dir(Path('.'), create=True); print('true')",
    );
    let (ours, _) = database();
    assert_eq!(shape(&sql(ours.path())), shape(&sql(theirs.path())));
}

#[test]
fn the_client_reads_what_we_wrote() {
    let Some(python) = python() else { return };
    let (folder, mut database) = database();
    let declared = DeclaredVariable {
        name: "group.x".into(),
        title: "Group/X".into(),
        description: Some("the x".into()),
        tags: vec!["fast".into()],
    };
    let _ = database.update_computed_variables(&[declared]).unwrap();
    let complex = [1.0_f64.to_le_bytes(), 2.0_f64.to_le_bytes()].concat();
    let cell = |value, summary_type: Option<&str>| Row {
        value,
        summary_type: summary_type.map(str::to_owned),
        ..Row::default()
    };
    let rows = vec![
        number("group.x", 1.5),
        ("text".into(), cell(CellValue::Text("hi".into()), None)),
        ("z".into(), cell(CellValue::Blob(complex), Some("complex"))),
        (
            "picture".into(),
            cell(CellValue::Blob(b"\x89PNG\r\n\x1a\n".to_vec()), None),
        ),
    ];
    let _ = database
        .save_cells(run(3), &rows, Some(1.7e9), COMPUTED)
        .unwrap();
    database.set_comment(run(3), Some("fine")).unwrap();
    database.ensure_run(run(4), 1.7e9).unwrap();
    let seen = ask(
        &python,
        folder.path(),
        "import json
from damnit.api import Damnit
from damnit.backend.db import DamnitDB
client = Damnit('.')
row = client.table().iloc[0]
titles = list(client.table(with_titles=True).columns)
db = DamnitDB.from_dir('.')
print(json.dumps({
    'proposal': client.proposal, 'runs': client.runs(), 'rows': len(client.table()),
    'cells': [str(row[name]) for name in ('group.x', 'text', 'z', 'picture', 'comment')],
    'titled': all(isinstance(title, str) for title in titles) and 'Group/X' in titles,
    'tags': db.get_variable_tags('group.x'), 'descriptions': db.variable_descriptions(),
}))",
    );
    let expected = json!({
        "proposal": 1234, "runs": [3], "rows": 1,
        "cells": ["1.5", "hi", "(1+2j)", "<thumbnail>", "fine"],
        "titled": true, "tags": ["fast"], "descriptions": {"group.x": "the x"},
    });
    assert_eq!(seen, expected);
}

#[test]
fn what_people_enter_through_damnit_is_kept_by_ours() {
    let Some(python) = python() else { return };
    let (folder, mut database) = database();
    let _ = database
        .save_cells(run(1), &[number("x", 1.0)], Some(1.0), COMPUTED)
        .unwrap();
    ask(
        &python,
        folder.path(),
        "from damnit.backend.db import DamnitDB, ReducedData
from damnit.backend.user_variables import UserEditableVariable
db = DamnitDB.from_dir('.')
db.add_user_variable(UserEditableVariable('good', 'Good?', 'boolean'))
db.set_variable(1234, 1, 'good', ReducedData(True), provenance='manual-input')
db.change_run_comment(1234, 1, 'from the window'); print('true')",
    );
    let users = database.user_variables().unwrap();
    assert_eq!(
        (users[0].name.as_str(), &users[0].kind),
        ("good", &UserType::Boolean)
    );
    let rows = [
        number("good", 0.0),
        number("comment", 0.0),
        number("x", 2.0),
    ];
    let saved = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    let refused = [
        ("good".into(), Refusal::UserVariable),
        ("comment".into(), Refusal::Reserved),
    ];
    assert_eq!(saved.refused, refused);
    let table = database.table(None).unwrap();
    assert_eq!(table.rows[0].comment.as_deref(), Some("from the window"));
    let shown: Vec<String> = table.rows[0]
        .cells
        .iter()
        .map(|cell| cell.as_ref().unwrap().shown.to_string())
        .collect();
    assert_eq!(shown, ["2", "true"]);
    let views = answers(folder.path(), "SELECT x, good, comment FROM runs");
    assert_eq!(
        views,
        [["Real(2.0)", "Integer(1)", "Text(\"from the window\")"]]
    );
}

#[test]
fn a_database_that_damnit_made_is_extended_and_damnit_goes_on_with_it() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    ask(
        &python,
        folder.path(),
        "from pathlib import Path
from damnit.backend.db import DamnitDB, ReducedData, initialize_proposal
initialize_proposal(Path('.'), 1234)
db = DamnitDB.from_dir('.')
db.update_computed_variables({'a': dict(title='A', description=None, tags=['t'], attributes=None, type=None)})
db.set_variables(1234, 1, {'a': ReducedData(1.0)}, 'context.py', start_time=5.0); print('true')",
    );
    let mut database = Database::open(folder.path()).unwrap();
    assert_eq!(database.proposal().unwrap(), Some(PROPOSAL));
    let a = DeclaredVariable {
        name: "a".into(),
        title: "A".into(),
        description: None,
        tags: vec!["t".into()],
    };
    assert!(
        database
            .update_computed_variables(&[a])
            .unwrap()
            .changed
            .is_empty()
    );
    let _ = database
        .save_cells(run(2), &[number("b", 2.0)], Some(6.0), COMPUTED)
        .unwrap();
    let seen = ask(
        &python,
        folder.path(),
        "import json
from damnit.api import Damnit
from damnit.backend.db import DamnitDB, ReducedData
db = DamnitDB.from_dir('.')
db.set_variables(1234, 2, {'c': ReducedData(3)}, 'context.py')
print(json.dumps([[list(row) for row in db.conn.execute('SELECT run, a, b, c FROM runs ORDER BY run')], Damnit('.').runs(), db.metameta['db_id']]))",
    );
    let expected = json!([
        [[1, 1.0, null, null], [2, null, 2.0, 3]],
        [1, 2],
        database.db_id()
    ]);
    assert_eq!(seen, expected);
    let _ = database
        .save_cells(run(2), &[number("d", 4.0)], None, COMPUTED)
        .unwrap();
    let views = answers(folder.path(), "SELECT b, c, d FROM runs WHERE run = 2");
    assert_eq!(views, [["Real(2.0)", "Integer(3)", "Real(4.0)"]]);
}

#[test]
fn the_views_show_to_its_sqlite_what_damnits_own_definition_shows() {
    let Some(python) = python() else { return };
    let (folder, mut database) = database();
    let rows: Vec<_> = (0..700)
        .map(|at| number(&format!("v{at}"), f64::from(at)))
        .collect();
    for (at, few) in [(1, 700), (2, 650), (3, 1)] {
        let _ = database
            .save_cells(run(at), &rows[..few], Some(1.0), COMPUTED)
            .unwrap();
    }
    database.set_comment(run(3), Some("fine")).unwrap();
    database.ensure_run(run(4), 1.0).unwrap();
    let same = ask(
        &python,
        folder.path(),
        "from damnit.backend.db import DamnitDB
db = DamnitDB.from_dir('.')
def shown():
    return [[dict(row) for row in db.conn.execute(f'SELECT * FROM {view}')] for view in ('runs', 'max_diffs')]
ours = shown()
db.update_views()
assert len(ours[0]) == 3 and len(ours[0][0]) == 4 + 701, ours
print('true' if ours == shown() else 'false')",
    );
    assert_eq!(same, json!(true));
}

#[test]
fn its_sqlite_reads_views_with_as_many_columns_as_a_view_may_have() {
    let Some(python) = python() else { return };
    let (folder, mut database) = database();
    let rows: Vec<_> = (0..2_100)
        .map(|at| number(&format!("v{at}"), f64::from(at)))
        .collect();
    let _ = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
    let seen = ask(
        &python,
        folder.path(),
        "import json, sqlite3
cursor = sqlite3.connect('runs.sqlite').execute('SELECT * FROM runs')
names = [column[0] for column in cursor.description][4:]
values = cursor.fetchall()[0][4:]
print(json.dumps([len(names), [name for name, value in zip(names, values) if name != f'v{value:.0f}']]))",
    );
    assert_eq!(seen, json!([1_990, []]));
}
