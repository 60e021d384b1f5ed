//! Ledgers of all past schemas, with what was in them.

use std::path::Path;

use runledger_migrations::{Chain, connect, schema};
use rusqlite::{Connection, OpenFlags};

use super::{CHAIN, Ledger, State};

/// A job that waits, one that runs, one that has ended.
const JOBS: &str = "
    INSERT INTO jobs (processing_id, proposal, run, data, request, state, submitted_by, planned_at) VALUES
        ('waits', 1, 1, 'raw', '{}', 'planned', 'me@here', 1.0),
        ('runs', 1, 2, 'raw', '{}', 'running', 'me@here', 2.0),
        ('done', 1, 3, 'raw', '{}', 'finished', 'me@here', 3.0);";
/// Their attempts on this machine; a queue in memory had the one that waits.
const ON_THIS_MACHINE: &str = "
    UPDATE jobs SET state = 'queued' WHERE processing_id = 'waits';
    INSERT INTO attempts (processing_id, number, host, pid, pid_started, started_at, ended_at, exit_code) VALUES
        ('runs', 1, 'here', 12, 34, 2.5, NULL, NULL),
        ('done', 1, 'here', 13, 35, 3.5, 4.0, 0);";
/// Their attempts in a queue.
const IN_A_QUEUE: &str = "
    INSERT INTO attempts (processing_id, number, queue, token, submitter, submitted_at,
                          host, pid, pid_started, started_at, ended_at, exit_code, settled) VALUES
        ('runs', 1, 'local', 'runs', 'here 12 34', 2.5, 'here', 12, 34, 2.5, NULL, NULL, 0),
        ('done', 1, 'local', 'done', 'here 13 35', 3.5, 'here', 13, 35, 3.5, 4.0, 0, 1);";
/// Whose end was told of.
const TOLD: &str = "UPDATE attempts SET told = settled";

/// What a ledger of this version had. Whoever adds a step adds what there is at the new version.
fn content(version: u32) -> Vec<&'static str> {
    match version {
        1 | 2 => vec![JOBS, ON_THIS_MACHINE],
        3..=5 => vec![JOBS, IN_A_QUEUE],
        6 => vec![JOBS, IN_A_QUEUE, TOLD],
        7 => vec![
            JOBS,
            IN_A_QUEUE,
            TOLD,
            "UPDATE jobs SET unbegun = 1 WHERE state = 'running'",
        ],
        other => panic!("version {other} has no fixture"),
    }
}

fn make(folder: &Path, version: u32) {
    let past = Chain {
        steps: &CHAIN.steps[..version as usize],
        ..CHAIN
    };
    let mut old = connect(&folder.join("ledger.sqlite"), OpenFlags::default()).unwrap();
    past.climb(&mut old).unwrap();
    for statements in content(version) {
        old.execute_batch(statements).unwrap();
    }
}

#[test]
fn jobs_and_attempts_of_every_older_ledger_are_gone_on_with() {
    for version in 1..=CHAIN.latest() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), version);
        let ledger = Ledger::open(folder.path()).unwrap();
        let jobs = ledger.jobs().unwrap();
        let states: Vec<_> = jobs.iter().map(|entry| entry.state).collect();
        assert_eq!(states, [State::Planned, State::Running, State::Finished]);
        let open = ledger.open_attempts().unwrap();
        assert_eq!(open.len(), 1, "from version {version}");
        let process = open[0].attempt.process.clone().unwrap();
        assert_eq!(
            (process.host.as_str(), process.pid, process.started),
            ("here", 12, 34)
        );
        let done = ledger.last_attempt("done").unwrap().unwrap();
        assert_eq!((done.exit_code, done.ended_at), (Some(0), Some(4.0)));
        assert_eq!(ledger.take_ends().unwrap(), [], "that was long ago");
    }
}

#[test]
fn latest_sql_is_what_the_steps_amount_to() {
    let mut climbed = Connection::open_in_memory().unwrap();
    CHAIN.climb(&mut climbed).unwrap();
    let told = Connection::open_in_memory().unwrap();
    told.execute_batch(include_str!("../../schema/ledger/latest.sql"))
        .unwrap();
    assert_eq!(schema(&told).unwrap(), schema(&climbed).unwrap());
}
