//! What several tests of the database need.
#![allow(dead_code, reason = "each test file uses a part")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use runledger_context::run::{Proposal, RunId};
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
