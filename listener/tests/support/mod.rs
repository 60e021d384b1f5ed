//! What several tests of jobs and merging need.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runledger_context::run::{Proposal, RunData, RunId};
use runledger_context::value::{Array, Cell, Data, Dtype, Outcome, Summary};
use runledger_listener::job::{Job, Request};
use runledger_listener::kafka::Properties;
use runledger_listener::ledger::Ledger;
use runledger_listener::publisher::{Publisher, PublisherSettings};
use runledger_storage::Database;
use runledger_storage::fragment::FragmentWriter;
use tempfile::TempDir;

pub(crate) const PROPOSAL: u32 = 1234;
/// Nobody listens there.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// A folder with a new database.
pub(crate) fn database() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Database::create(folder.path(), Proposal(PROPOSAL)).unwrap();
    folder
}

pub(crate) fn run(number: u32) -> RunId {
    RunId::new(PROPOSAL, number)
}

/// A job of a run of the database in `folder`, in its ledger.
pub(crate) fn planned(folder: &Path, number: u32) -> Job {
    let job = Job::new(run(number), RunData::Raw, folder.into(), Request::default());
    Ledger::open(folder).unwrap().plan(None, &job).unwrap();
    job
}

/// A fragment, not complete, with one number as the value of `name`.
pub(crate) fn half(
    folder: &Path,
    number: u32,
    token: &str,
    name: &str,
    value: f64,
) -> FragmentWriter {
    let mut writer = FragmentWriter::create(folder, run(number), token, "context.py").unwrap();
    save(&mut writer, name, value);
    writer
}

/// One number more.
pub(crate) fn save(writer: &mut FragmentWriter, name: &str, value: f64) {
    let array = Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: Vec::new(),
        bytes: value.to_le_bytes().to_vec().into(),
    };
    let cell = Cell {
        data: Some(Data::Array(array.clone())),
        summary: Some(Summary::Array(array)),
        ..Cell::default()
    };
    writer.save(name, &Outcome::Cell(Box::new(cell))).unwrap();
}

/// A complete fragment.
pub(crate) fn fragment(folder: &Path, number: u32, token: &str, name: &str, value: f64) -> PathBuf {
    half(folder, number, token, name, value).finish().unwrap()
}

/// A value in the run table.
pub(crate) fn value(folder: &Path, number: u32, name: &str) -> Option<f64> {
    let conn = rusqlite::Connection::open(folder.join("runs.sqlite")).unwrap();
    let sql = "SELECT value FROM run_variables WHERE run = ?1 AND name = ?2";
    conn.query_row(sql, rusqlite::params![number, name], |row| row.get(0))
        .ok()
}

pub(crate) fn to(broker: Option<&str>) -> PublisherSettings {
    PublisherSettings {
        broker: broker.map(Into::into),
        properties: Properties::new(),
    }
}

pub(crate) fn publisher(broker: Option<&str>) -> Publisher {
    Publisher::new(&to(broker)).unwrap()
}

/// The messages that wait in a database's outbox.
pub(crate) fn waiting(folder: &Path) -> Vec<serde_json::Value> {
    let messages = Ledger::open(folder).unwrap().waiting_messages().unwrap();
    messages
        .iter()
        .map(|message| serde_json::from_slice(&message.payload).unwrap())
        .collect()
}

/// Waits for something that takes a while, and says so if it never comes.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
