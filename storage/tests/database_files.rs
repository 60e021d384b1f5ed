//! Opening and making the file itself: what is refused, and what is left behind.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use runledger_storage::{Database, Error};
use support::{PROPOSAL, answers, as_ordinary_user, database, number, run, sql};

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_database_has_the_settings_that_damnit_gives_it_and_nothing_beside_it() {
    let (folder, database) = database();
    assert_eq!(entries(folder.path()), ["runs.sqlite"]);
    assert_eq!(database.proposal().unwrap(), Some(PROPOSAL));
    assert_eq!(database.db_id().len(), 40);
    assert!(
        database
            .db_id()
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
    );
    assert_eq!(
        database.update_topic(),
        format!("test.damnit.db-{}", database.db_id())
    );
    let settings = answers(
        folder.path(),
        "SELECT key, value FROM metameta WHERE key <> 'db_id' ORDER BY key",
    );
    let expected = [
        ["Text(\"concurrent_jobs\")", "Integer(15)"],
        ["Text(\"data_format_version\")", "Integer(4)"],
        ["Text(\"proposal\")", "Integer(1234)"],
    ];
    assert_eq!(settings, expected);
}

#[test]
fn everybody_may_write_a_new_database_and_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/b");
    Database::create(&dir, PROPOSAL).unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o777);
    assert_eq!(
        fs::metadata(dir.join("runs.sqlite")).unwrap().mode() & 0o777,
        0o666
    );
}

#[test]
fn a_folder_that_is_closed_to_others_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("of a few");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o2750)).unwrap();
    let mut database = Database::create(&dir, PROPOSAL).unwrap();
    database.set_comment(run(1), Some("good")).unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o7777, 0o2750);
}

#[test]
fn a_database_that_is_there_is_not_made_again() {
    let (folder, database) = database();
    let id = database.db_id().to_owned();
    let refused = Database::create(folder.path(), PROPOSAL).unwrap_err();
    assert!(matches!(refused, Error::DatabaseExists { .. }));
    assert_eq!(Database::open(folder.path()).unwrap().db_id(), id);
}

#[test]
fn a_folder_without_a_database_is_named_and_gets_none() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Database::open(folder.path()).unwrap_err();
    assert!(matches!(&refused, Error::NoDatabase { dir } if dir == folder.path()));
    assert!(
        refused
            .to_string()
            .contains(folder.path().to_str().unwrap())
    );
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn what_is_no_run_table_is_refused_and_left_alone() {
    let texts: [&[u8]; 3] = [b"", b"hello", &[b'x'; 5000]];
    for bytes in texts {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.sqlite");
        fs::write(&path, bytes).unwrap();
        let refused = Database::open(folder.path()).unwrap_err();
        assert!(matches!(refused, Error::NotADatabase { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    sql(folder.path())
        .execute_batch("CREATE TABLE cats (name)")
        .unwrap();
    let refused = Database::open(folder.path()).unwrap_err();
    assert!(matches!(refused, Error::NotADatabase { .. }), "{refused}");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("runs.sqlite")).unwrap();
    let refused = Database::open(folder.path()).unwrap_err();
    assert!(matches!(refused, Error::NotADatabase { .. }), "{refused}");
}

#[test]
fn a_truncated_database_is_an_error_that_names_it() {
    let (folder, database) = database();
    drop(database);
    let path = folder.path().join("runs.sqlite");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(5000).unwrap();
    let refused = Database::open(folder.path()).unwrap_err();
    assert!(
        refused.to_string().contains(path.to_str().unwrap()),
        "{refused}"
    );
}

#[test]
fn the_legacy_format_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    sql(folder.path())
        .execute_batch("CREATE TABLE runs (proposal, runnr, start_time, added_at, comment)")
        .unwrap();
    let refused = Database::open(folder.path()).unwrap_err();
    assert!(matches!(refused, Error::LegacyDatabase { .. }), "{refused}");
}

#[test]
fn a_newer_database_is_refused_with_its_version_and_not_a_byte_is_touched() {
    let (folder, mut database) = database();
    database
        .set_setting(
            "data_format_version",
            &runledger_storage::CellValue::Integer(99),
        )
        .unwrap();
    drop(database);
    let path = folder.path().join("runs.sqlite");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (bytes, before) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap());
    let refused = Database::open(folder.path()).unwrap_err();
    assert!(matches!(
        refused,
        Error::NewerDatabase {
            found: 99,
            known: 4,
            ..
        }
    ));
    assert!(refused.to_string().contains("v99"));
    let after = fs::metadata(&path).unwrap();
    let times = |of: &fs::Metadata| (of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec());
    assert_eq!(
        (bytes, times(&before)),
        (fs::read(&path).unwrap(), times(&after))
    );
    assert_eq!(entries(folder.path()), ["runs.sqlite"]);
}

#[test]
fn a_version_of_the_wrong_type_is_a_clear_error() {
    let (folder, database) = database();
    drop(database);
    sql(folder.path())
        .execute_batch("UPDATE metameta SET value = 'four' WHERE key = 'data_format_version'")
        .unwrap();
    let refused = Database::open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("the text \"four\""), "{refused}");
}

#[test]
fn a_read_only_file_or_folder_is_opened_for_reading_and_a_write_says_so() {
    as_ordinary_user(
        "a_read_only_file_or_folder_is_opened_for_reading_and_a_write_says_so",
        || {
            for (file, folder_mode) in [(0o444, 0o755), (0o644, 0o555)] {
                let (folder, mut database) = database();
                let _ = database
                    .save_cells(run(1), &[number("x", 1.0)], Some(1.0), "me")
                    .unwrap();
                drop(database);
                let path = folder.path().join("runs.sqlite");
                fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
                fs::set_permissions(folder.path(), Permissions::from_mode(folder_mode)).unwrap();
                let mut database = Database::open(folder.path()).unwrap();
                assert_eq!(database.table(None).unwrap().rows.len(), 1);
                let refused = database.set_comment(run(1), Some("hello")).unwrap_err();
                assert!(
                    matches!(refused, Error::DatabaseReadOnly { .. }),
                    "{refused}"
                );
                assert!(!refused.is_transient());
                fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            }
        },
    );
}

#[test]
fn an_old_database_that_cannot_be_written_is_read_as_it_is() {
    as_ordinary_user(
        "an_old_database_that_cannot_be_written_is_read_as_it_is",
        || {
            let folder = tempfile::tempdir().unwrap();
            let conn = sql(folder.path());
            conn.execute_batch(runledger_migrations::RUNS.steps[0].sql)
                .unwrap();
            conn.execute_batch(
            "INSERT INTO metameta VALUES ('data_format_version', 1), ('proposal', 1234);
             INSERT INTO run_info VALUES (1234, 1, 10.5, 11);
             INSERT INTO run_variables (proposal, run, name, version, value) VALUES (1234, 1, 'x', 1, 2.5)",
        )
        .unwrap();
            drop(conn);
            fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
            let mut database = Database::open(folder.path()).unwrap();
            assert_eq!(database.version(), 1);
            let table = database.table(None).unwrap();
            assert_eq!(
                table.rows[0].cells[0].as_ref().unwrap().shown.to_string(),
                "2.5"
            );
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            let refused = database.set_comment(run(1), None).unwrap_err();
            assert!(
                matches!(refused, Error::DatabaseReadOnly { .. }),
                "{refused}"
            );
        },
    );
}

#[test]
fn a_database_that_stays_locked_is_a_transient_error_after_the_time_given() {
    let (folder, _) = database();
    let other = sql(folder.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let patience = Duration::from_millis(200);
    let mut database = Database::open_with_timeout(folder.path(), patience).unwrap();
    let start = Instant::now();
    let refused = database.set_comment(run(1), Some("x")).unwrap_err();
    assert!(start.elapsed() >= patience);
    assert!(matches!(refused, Error::DatabaseBusy { .. }) && refused.is_transient());
    other.execute_batch("ROLLBACK").unwrap();
    database.set_comment(run(1), Some("x")).unwrap();
}

#[test]
fn a_write_ahead_log_is_left_for_a_rollback_journal() {
    let (folder, database) = database();
    drop(database);
    let mode = "PRAGMA journal_mode = WAL";
    assert_eq!(answers(folder.path(), mode), [["Text(\"wal\")"]]);
    Database::open(folder.path()).unwrap();
    assert_eq!(
        answers(folder.path(), "PRAGMA journal_mode"),
        [["Text(\"delete\")"]]
    );
}

#[test]
fn an_upgrade_keeps_a_copy_of_the_database_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let conn = sql(folder.path());
    for step in &runledger_migrations::RUNS.steps[..3] {
        conn.execute_batch(step.sql).unwrap();
    }
    conn.execute_batch(
        "INSERT INTO metameta VALUES ('data_format_version', 3), ('proposal', 1234)",
    )
    .unwrap();
    drop(conn);
    let database = Database::open(folder.path()).unwrap();
    assert_eq!(database.version(), 4);
    assert_eq!(database.db_id().len(), 40);
    assert_eq!(
        entries(folder.path()),
        ["runs.sqlite", "runs.v3-backup.sqlite"]
    );
    Database::open(folder.path()).unwrap();
    assert_eq!(
        entries(folder.path()).len(),
        2,
        "a second opening has nothing to upgrade"
    );
}

#[test]
fn settings_can_be_set_listed_and_removed() {
    let (folder, mut database) = database();
    database
        .set_setting(
            "slurm_time",
            &runledger_storage::CellValue::Text("01:00:00".into()),
        )
        .unwrap();
    let keys: Vec<String> = database
        .settings()
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        keys,
        [
            "concurrent_jobs",
            "data_format_version",
            "db_id",
            "proposal",
            "slurm_time"
        ]
    );
    assert!(database.delete_setting("slurm_time").unwrap());
    assert!(!database.delete_setting("slurm_time").unwrap());
    assert_eq!(database.setting("slurm_time").unwrap(), None);
    let old = database.db_id().to_owned();
    database.new_id().unwrap();
    assert_ne!(database.db_id(), old);
    assert_eq!(
        Database::open(folder.path()).unwrap().db_id(),
        database.db_id()
    );
}

#[test]
fn a_proposal_may_be_a_numbers_text_and_what_is_no_number_is_named_in_the_error() {
    use runledger_storage::CellValue as V;
    let (_folder, mut database) = database();
    let mut proposal = |value: V| {
        database.set_setting("proposal", &value).unwrap();
        database.proposal().map_err(|error| error.to_string())
    };
    assert_eq!(
        proposal(V::Text("12".into())),
        Ok(Some(runledger_context::run::Proposal(12)))
    );
    for (value, shown) in [
        (V::Text("../p12".into()), "is \"../p12\""),
        (V::Integer(-3), "is -3"),
        (V::Real(1.5), "is 1.5"),
        (V::Null, "is empty"),
    ] {
        let refused = proposal(value).unwrap_err();
        assert!(
            refused.contains("`proposal`") && refused.contains(shown),
            "{refused}"
        );
    }
}
