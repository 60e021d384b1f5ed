//! Listeners' databases of all past schemas, with what was in them.

use std::path::Path;

use runledger_migrations::{Chain, connect, schema};
use rusqlite::{Connection, OpenFlags};

use super::{CHAIN, FILE_NAME, ListenerDb};

const WATCHED: &str = "
    INSERT INTO proposal_databases VALUES (1234, '/somewhere/db', 1);
    INSERT INTO settings VALUES ('static_mode', 0);";
/// A message that waits, one that was handled, one that could not be understood.
const LETTERS: &str = "
    INSERT INTO inbox (source, topic, received_at, payload, tries, last_error, done_at) VALUES
        ('waits', 'runs', 1.0, x'7b7d', 2, 'locked', NULL), ('handled', 'runs', 2.0, x'7b7d', 1, NULL, 3.0);
    INSERT INTO dead_letters (source, topic, partition, \"offset\", received_at, reason, payload) VALUES
        ('odd', 'runs', 0, 7, 4.0, 'no JSON', x'00');";

/// What one of this version had. Whoever adds a step adds what there is at the new version.
fn content(version: u32) -> Vec<&'static str> {
    match version {
        1 => vec![WATCHED],
        2..=4 => vec![WATCHED, LETTERS],
        other => panic!("version {other} has no fixture"),
    }
}

fn make(folder: &Path, version: u32) {
    let past = Chain {
        steps: &CHAIN.steps[..version as usize],
        ..CHAIN
    };
    let mut old = connect(&folder.join(FILE_NAME), OpenFlags::default()).unwrap();
    past.climb(&mut old).unwrap();
    for statements in content(version) {
        old.execute_batch(statements).unwrap();
    }
}

#[test]
fn what_every_older_one_watches_and_was_told_is_gone_on_with() {
    for version in 1..=CHAIN.latest() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), version);
        let db = ListenerDb::open(folder.path()).unwrap();
        assert_eq!(db.sites().unwrap().len(), 1, "from version {version}");
        assert!(!db.is_static().unwrap());
        let count = usize::from(version > 1);
        let waiting = db.waiting(Some(9)).unwrap();
        let waiting: Vec<_> = waiting.iter().map(|it| (&*it.source, it.tries)).collect();
        assert_eq!(waiting, vec![("waits", 2); count]);
        assert_eq!(db.knows("handled").unwrap(), version > 1);
        let dead = db.dead_letters().unwrap();
        assert_eq!(dead.len(), count);
        assert!(
            dead.iter()
                .all(|it| (it.offset, &*it.reason) == (7, "no JSON"))
        );
    }
}

#[test]
fn latest_sql_is_what_the_steps_amount_to() {
    let mut climbed = Connection::open_in_memory().unwrap();
    CHAIN.climb(&mut climbed).unwrap();
    let told = Connection::open_in_memory().unwrap();
    told.execute_batch(include_str!("../../schema/listener/latest.sql"))
        .unwrap();
    assert_eq!(schema(&told).unwrap(), schema(&climbed).unwrap());
}
