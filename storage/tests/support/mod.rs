//! What several tests of the database need.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod damnit;
pub(crate) mod results;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use runledger_context::run::{Proposal, RunData, RunId};
use runledger_context::selection::Selection;
use runledger_context::worker::{End, Event, Limits, Request, Setup, Worker};
use runledger_migrations::RUNS;
use runledger_storage::database::DeclaredVariable;
use runledger_storage::{CellValue, Database, Row};
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) const PROPOSAL: Proposal = Proposal(1234);

/// A folder with a new database.
pub(crate) fn database() -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create(folder.path(), PROPOSAL).unwrap();
    (folder, database)
}

/// A variable of a context file.
pub(crate) fn declared(name: &str, tags: &[&str]) -> DeclaredVariable {
    DeclaredVariable {
        name: name.into(),
        title: name.to_uppercase(),
        description: None,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

/// A connection beside ours, as another program has it.
pub(crate) fn sql(folder: &Path) -> Connection {
    Connection::open(folder.join("runs.sqlite")).unwrap()
}

/// The answers of a query, as text.
pub(crate) fn answers(folder: &Path, query: &str) -> Vec<Vec<String>> {
    let conn = sql(folder);
    let mut statement = conn.prepare(query).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|at| Ok(format!("{:?}", row.get::<_, CellValue>(at)?)))
            .collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

pub(crate) fn run(number: u32) -> RunId {
    RunId::new(PROPOSAL.0, number)
}

/// A cell with this number.
pub(crate) fn number(name: &str, value: f64) -> (String, Row) {
    let row = Row {
        value: CellValue::Real(value),
        summary_method: Some("mean".into()),
        ..Row::default()
    };
    (name.into(), row)
}

/// The interpreter that has `damnit`, from `RUNLEDGER_TEST_PYTHON`.
pub(crate) fn python() -> Option<PathBuf> {
    let found = std::env::var_os("RUNLEDGER_TEST_PYTHON").map(PathBuf::from);
    if found.is_none() {
        eprintln!("skipped: RUNLEDGER_TEST_PYTHON names no interpreter with damnit");
    }
    found
}

/// Evaluates all variables of a folder's context file for a mock run.
pub(crate) fn evaluate(python: &Path, folder: &Path, run: RunId, on: &mut dyn FnMut(Event)) -> End {
    let setup = Setup {
        python: python.into(),
        database_dir: folder.into(),
        memory: None,
        keep: None,
        environment: Default::default(),
        launcher: Default::default(),
    };
    let limits = Limits::of(Duration::from_secs(3600));
    let mut worker = Worker::start(setup, &limits).unwrap();
    let names = Selection::of(RunData::All).names(worker.manifest());
    let request = Request {
        run,
        data: RunData::All,
        selected: names.clone(),
        names,
        again: Vec::new(),
        given: None,
        hand_over: None,
        lost: Vec::new(),
        mock: true,
        params: serde_json::Map::new(),
        opener: None,
        workers: 1,
    };
    worker.evaluate(&request, &limits, on).unwrap()
}

/// Runs a Python script in `folder`; its output has to be JSON.
pub(crate) fn ask(python: &Path, folder: &Path, script: &str) -> serde_json::Value {
    let output = Command::new(python)
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {errors}"))
}

/// Runs `body`, for which permissions count: where the tests run as root, in a copy of this program under
/// another account. `test` is the calling test's name.
pub(crate) fn as_ordinary_user(test: &str, body: impl FnOnce()) {
    if !nix::unistd::geteuid().is_root() {
        return body();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut again = Command::new(program);
    again
        .args([test, "--exact", "--nocapture"])
        .current_dir("/")
        .uid(65_534)
        .gid(65_534);
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// Everything about a schema but its wording: columns, indexes, foreign keys, names and kinds.
pub(crate) fn shape(conn: &Connection) -> Vec<String> {
    let query = "
        SELECT 'object', type, name, tbl_name, '', '', '' FROM sqlite_schema
        UNION ALL
        SELECT 'column', s.name, c.cid, c.name, c.type, c.\"notnull\", c.pk || ' ' || coalesce(c.dflt_value, '')
            FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c WHERE s.type IN ('table', 'view')
        UNION ALL
        SELECT 'index', s.name, i.\"unique\", i.origin, i.partial, x.seqno, x.name
            FROM sqlite_schema AS s, pragma_index_list(s.name) AS i, pragma_index_info(i.name) AS x
            WHERE s.type = 'table'
        UNION ALL
        SELECT 'key', s.name, f.\"table\", f.\"from\", f.\"to\", f.on_delete, f.on_update
            FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f WHERE s.type = 'table'";
    let mut statement = conn.prepare(query).unwrap();
    let rows = statement.query_map([], |row| {
        let parts: Vec<CellValue> = (0..7).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        Ok(format!("{parts:?}"))
    });
    let mut shape: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
    shape.sort();
    shape
}

/// A folder with a database of format `version` that has one run.
pub(crate) fn of_format(version: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let conn = sql(folder.path());
    for step in &RUNS.steps[..version] {
        conn.execute_batch(step.sql).unwrap();
    }
    conn.execute_batch(&format!(
        "INSERT INTO metameta VALUES ('data_format_version', {version}), ('proposal', 1234);
         INSERT INTO run_info VALUES (1234, 1, 10.5, 11);"
    ))
    .unwrap();
    folder
}
