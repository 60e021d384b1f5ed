//! Writing beside other programs, and into large tables.

mod support;

use std::process::Command;

use runledger_storage::database::COMPUTED;
use runledger_storage::{Database, Row};
use support::{answers, database, number, run, sql};

#[test]
fn a_reader_that_holds_a_transaction_sees_its_own_state_and_the_writer_waits_for_it() {
    let (folder, mut database) = database();
    let _ = database
        .save_cells(run(1), &[number("x", 1.0)], None, COMPUTED)
        .unwrap();
    let reader = sql(folder.path());
    reader.execute_batch("BEGIN; SELECT * FROM runs").unwrap();
    let dir = folder.path().to_path_buf();
    let writer = std::thread::spawn(move || {
        let mut database = Database::open(&dir).unwrap();
        let _ = database
            .save_cells(run(1), &[number("y", 2.0)], None, COMPUTED)
            .unwrap();
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!writer.is_finished());
    let columns: i64 = reader
        .query_row(
            "SELECT count(*) FROM pragma_table_info('runs')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(columns, 5);
    reader.execute_batch("COMMIT").unwrap();
    writer.join().unwrap();
    assert_eq!(
        answers(folder.path(), "SELECT x, y FROM runs"),
        [["Real(1.0)", "Real(2.0)"]]
    );
}

/// Not a test by itself: the other process of the next one.
#[test]
#[ignore = "run by two_processes_write_at_once_and_nothing_is_lost"]
fn other_process() {
    let (Ok(dir), Ok(name)) = (
        std::env::var("TEST_DATABASE"),
        std::env::var("TEST_VARIABLE"),
    ) else {
        return;
    };
    let mut database = Database::open(dir.as_ref()).unwrap();
    for at in 0..40 {
        let rows = [number(&format!("{name}{at}"), 1.0), number("both", 2.0)];
        let _ = database.save_cells(run(at), &rows, None, COMPUTED).unwrap();
    }
}

#[test]
fn two_processes_write_at_once_and_nothing_is_lost() {
    let (folder, _) = database();
    let start = |name: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["other_process", "--exact", "--ignored"])
            .env("TEST_DATABASE", folder.path())
            .env("TEST_VARIABLE", name)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut process in [start("a"), start("b")] {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(
        answers(folder.path(), "SELECT count(*) FROM run_variables"),
        [["Integer(120)"]]
    );
    assert_eq!(
        answers(folder.path(), "SELECT * FROM pragma_table_info('runs')").len(),
        4 + 81
    );
    assert_eq!(
        answers(
            folder.path(),
            "SELECT a39, b39, \"both\" FROM runs WHERE run = 39"
        ),
        [["Real(1.0)", "Real(1.0)", "Real(2.0)"]]
    );
}

/// What this thread has asked the system to read, in bytes.
fn bytes_read() -> u64 {
    let counts = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let first = counts.lines().next().unwrap();
    first.strip_prefix("rchar: ").unwrap().parse().unwrap()
}

#[test]
fn a_comment_and_a_runs_values_read_as_little_of_a_large_table_as_of_a_small_one() {
    let (folder, mut database) = database();
    let values: Vec<(String, Row)> = (0..30)
        .map(|at| number(&format!("v{at}"), f64::from(at)))
        .collect();
    let mut write = || {
        // Changed by another program: what was read before is read anew.
        let other = sql(folder.path());
        other
            .execute_batch("UPDATE run_info SET added_at = 1")
            .unwrap();
        drop(other);
        let before = bytes_read();
        database.set_comment(run(1), Some("good")).unwrap();
        let _ = database
            .save_cells(run(1), &values, None, COMPUTED)
            .unwrap();
        bytes_read() - before
    };
    write();
    let small = write();
    let many =
        "WITH RECURSIVE r(run) AS (SELECT 2 UNION ALL SELECT run + 1 FROM r WHERE run < 2000)
                INSERT INTO run_variables (proposal, run, name, version, value)
                    SELECT proposal, r.run, name, version, value FROM run_variables, r";
    sql(folder.path()).execute_batch(many).unwrap();
    let large = write();
    let whole = std::fs::metadata(folder.path().join("runs.sqlite")).unwrap();
    assert!(whole.len() > 3_000_000, "{}", whole.len());
    assert!(
        large < small + 200_000,
        "{small} bytes of the small one, {large} of the large one"
    );
}
