//! Several processes at one database: none finds a state between two.

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use runledger_storage::Database;
use runledger_storage::database::COMPUTED;
use support::{answers, database, number, run, sql};

/// A copy of this program that does `part` in `folder`. It ends with the test, however that ends.
struct Other(Child);

impl Other {
    fn start(part: &str, folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([part, "--exact", "--ignored"])
            .env("TEST_DATABASE", folder)
            .stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn succeeds(&mut self) -> bool {
        self.0.wait().unwrap().success()
    }

    fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// None if this is no part of another test.
fn folder() -> Option<std::path::PathBuf> {
    std::env::var_os("TEST_DATABASE").map(Into::into)
}

fn old_database(folder: &Path, version: usize) {
    let conn = sql(folder);
    for step in &runledger_migrations::RUNS.steps[..version] {
        conn.execute_batch(step.sql).unwrap();
    }
    conn.execute_batch(&format!(
        "INSERT INTO metameta VALUES ('data_format_version', {version}), ('proposal', 1234);
         INSERT INTO run_info VALUES (1234, 1, 10.5, 11.5);
         INSERT INTO run_variables (proposal, run, name, version, value) VALUES (1234, 1, 'x', 1, 2.5);"
    ))
    .unwrap();
}

/// Not a test by itself: opens the database as soon as all are there.
#[test]
#[ignore = "run by processes_that_open_an_old_database_at_once_upgrade_it_once"]
fn opener() {
    let Some(folder) = folder() else { return };
    let mine = tempfile::Builder::new()
        .prefix("here-")
        .tempfile_in(folder.join("openers"))
        .unwrap();
    while !folder.join("go").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let database = Database::open(&folder).unwrap();
    assert_eq!(database.version(), 4);
    drop(mine);
}

#[test]
fn processes_that_open_an_old_database_at_once_upgrade_it_once() {
    for version in 1..=3 {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("openers");
        std::fs::create_dir(&here).unwrap();
        old_database(folder.path(), version);
        let mut openers: Vec<Other> = (0..6)
            .map(|_| Other::start("opener", folder.path()))
            .collect();
        while here.read_dir().unwrap().count() < openers.len() {
            assert!(openers.iter_mut().all(|opener| !opener.is_over()));
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::fs::write(folder.path().join("go"), "").unwrap();
        for opener in &mut openers {
            assert!(opener.succeeds(), "from format {version}");
        }
        let names = folder.path().read_dir().unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let copies: Vec<String> = names.filter(|name| name.contains("backup")).collect();
        assert_eq!(copies, [format!("runs.v{version}-backup.sqlite")]);
        let cells = answers(
            folder.path(),
            "SELECT name, value, attributes FROM run_variables",
        );
        assert_eq!(cells, [["Text(\"x\")", "Real(2.5)", "Null"]]);
    }
}

/// Not a test by itself: asks the views again and again until it is told to stop.
#[test]
#[ignore = "run by a_reader_never_finds_the_views_missing_while_variables_are_added"]
fn reader() {
    let Some(folder) = folder() else { return };
    let conn = sql(&folder);
    conn.busy_timeout(std::time::Duration::from_secs(60))
        .unwrap();
    let mut rounds = 0_u64;
    while !folder.join("stop").exists() {
        for view in ["runs", "max_diffs"] {
            let query = format!("SELECT count(x) FROM {view}");
            let found: i64 = conn.query_row(&query, [], |row| row.get(0)).unwrap();
            assert!(view == "max_diffs" || found == 1, "{found} rows in {view}");
        }
        rounds += 1;
        std::fs::write(folder.join("rounds"), rounds.to_string()).unwrap();
    }
}

#[test]
fn a_reader_never_finds_the_views_missing_while_variables_are_added() {
    let (folder, mut database) = database();
    let _ = database
        .save_cells(run(1), &[number("x", 1.0)], None, COMPUTED)
        .unwrap();
    let mut reader = Other::start("reader", folder.path());
    let rounds = || -> u64 {
        let told = std::fs::read_to_string(folder.path().join("rounds"));
        told.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    // As many variables as it takes until the reader has looked often in between.
    let mut added = 0;
    while added < 60 || rounds() < 60 {
        assert!(
            !reader.is_over(),
            "the reader failed after {added} variables"
        );
        let rows = [number(&format!("v{}", added % 500), 1.0)];
        let _ = database.save_cells(run(1), &rows, None, COMPUTED).unwrap();
        added += 1;
    }
    std::fs::write(folder.path().join("stop"), "").unwrap();
    assert!(reader.succeeds());
}
