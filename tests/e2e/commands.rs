//! The commands that set up and look, as users of DAMNIT know them.

use runledger_tests::{Finished, Site};

const CONTEXT: &str = "from damnit_ctx import Variable\n\n@Variable(title='One', tags=['nice'])\ndef one(run):\n    return 1\n\n\
                       @Variable(title='Two')\ndef two(run, x: 'var#one'):\n    return 'two'\n";

fn database() -> Site {
    let site = Site::quiet();
    site.init(CONTEXT);
    site
}

fn listener(site: &Site, arguments: &[&str]) -> Finished {
    let all: Vec<&str> = std::iter::once("listener")
        .chain(arguments.iter().copied())
        .collect();
    Finished::of(&mut site.command(&site.listener(), &all))
}

#[test]
fn settings_are_listed_with_text_in_quotes_and_numbers_without() {
    let site = database();
    site.run(&["db-config", "slurm-time", "01:00:00"])
        .succeeded();
    site.run(&["db-config", "concurrent-jobs", "8", "--num"])
        .succeeded();
    let listed = site.run(&["db-config"]).succeeded().stdout;
    for line in [
        "slurm_time='01:00:00'",
        "concurrent_jobs=8",
        "proposal=1234",
        "data_format_version=4",
    ] {
        assert!(
            listed.lines().any(|l| l == line),
            "{line} is not in:\n{listed}"
        );
    }
    assert_eq!(
        site.run(&["db-config", "slurm-time"]).succeeded().stdout,
        "'01:00:00'\n"
    );
}

#[test]
fn a_setting_is_removed_and_a_missing_one_is_named() {
    let site = database();
    site.run(&["db-config", "slurm-time", "01:00:00"])
        .succeeded();
    site.run(&["db-config", "-d", "slurm-time"]).succeeded();
    site.run(&["db-config", "slurm-time"])
        .failed(1, &["slurm_time"]);
    site.run(&["db-config", "-d", "slurm-time"])
        .failed(1, &["slurm_time"]);
}

#[test]
fn the_proposal_is_shown_and_changed() {
    let site = database();
    assert!(site.run(&["proposal"]).succeeded().stdout.contains("1234"));
    let changed = site.run(&["proposal", "77"]).succeeded().stdout;
    assert!(
        changed.contains("77") && changed.contains("1234"),
        "{changed}"
    );
    assert_eq!(
        site.number("SELECT value FROM metameta WHERE key='proposal'"),
        Some(77.0)
    );
}

#[test]
fn a_proposal_that_is_no_number_is_not_set_and_one_that_was_set_is_mended() {
    let site = database();
    let refused = &["db-config", "proposal", "../../.."];
    site.run(refused).failed(2, &["a proposal's number"]);
    site.run(&["db-config", "proposal", "-1", "--num"])
        .failed(2, &[]);
    site.run(&["db-config", "proposal", "5"]).succeeded();
    let listed = site.run(&["db-config", "proposal"]).succeeded().stdout;
    assert_eq!(listed, "5\n");

    let sql = "UPDATE metameta SET value = '../../..' WHERE key = 'proposal'";
    let writable = rusqlite::Connection::open(site.db().join("runs.sqlite")).unwrap();
    writable.execute(sql, []).unwrap();
    let hint = "runledger proposal NUMBER";
    site.run(&["reprocess", "7", "--direct", "--mock"])
        .failed(1, &["`proposal`", "is \"../../..\"", hint]);
    site.run(&["proposal", "1234"]).succeeded();
    site.run(&["proposal"]).succeeded();
}

#[test]
fn a_new_identity_is_another_one() {
    let site = database();
    let id = || {
        site.text("SELECT value FROM metameta WHERE key='db_id'")
            .expect("an identity")
    };
    let before = id();
    site.run(&["new-id"]).succeeded();
    assert_ne!(id(), before);
    assert_eq!(id().len(), 40);
}

#[test]
fn init_keeps_the_context_file_that_is_there() {
    let site = database();
    site.init("print('another one')\n");
    let kept = std::fs::read_to_string(site.db().join("context.py")).expect("the context file");
    assert_eq!(kept, CONTEXT);
}

#[test]
fn init_does_not_take_another_proposals_database_for_its_own() {
    let site = database();
    std::fs::remove_file(site.db().join("context.py")).unwrap();
    let init = |proposal| site.run(&["init", ".", "--proposal", proposal]);
    init("5").failed(1, &["proposal 1234", "for 5", "another folder"]);
    assert!(!site.db().join("context.py").exists());
    let again = init("1234").succeeded().stdout;
    assert!(again.contains("There was a database already"), "{again}");
}

#[test]
fn init_makes_a_folder_beside_the_one_at_work() {
    let site = database();
    site.run(&["init", "../beside", "--proposal", "5"])
        .succeeded();
    assert!(
        site.db()
            .with_file_name("beside")
            .join("runs.sqlite")
            .is_file()
    );
}

#[test]
fn init_takes_context_file_and_user_variables_from_another_database() {
    let site = database();
    site.python("write_with_client.py", &[site.db().as_ref()])
        .succeeded();
    let db = site.db();
    let new = site.path("new");
    let like = [
        "init".as_ref(),
        new.as_os_str(),
        "--proposal".as_ref(),
        "5".as_ref(),
        "--like".as_ref(),
        db.as_os_str(),
    ];
    Finished::of(&mut site.command(&site.listener(), &like)).succeeded();
    let copied = std::fs::read_to_string(new.join("context.py")).expect("the context file");
    assert_eq!(copied, CONTEXT);
    let names = rusqlite::Connection::open(new.join("runs.sqlite")).and_then(|db| {
        db.query_row(
            "SELECT count(*) FROM variables WHERE type IS NOT NULL",
            [],
            |row| row.get::<_, i64>(0),
        )
    });
    assert_eq!(names.expect("the new database"), 1);
}

#[test]
fn read_context_fills_the_list_of_variables_and_their_tags() {
    let site = database();
    let said = site.run(&["read-context"]).succeeded();
    assert!(said.stdout.contains('2'), "{said:#?}");
    assert_eq!(
        site.text("SELECT title FROM variables WHERE name='two'")
            .as_deref(),
        Some("Two")
    );
    assert_eq!(site.text("SELECT name FROM tags").as_deref(), Some("nice"));
}

#[test]
fn reprocess_evaluates_runs_here_and_now_and_the_table_shows_them() {
    let site = database();
    let shown = site
        .run(&["reprocess", "7", "8", "--mock", "--direct"])
        .succeeded();
    assert!(
        shown.stdout.contains("Computed") || shown.stderr.contains("Computed"),
        "{shown:#?}"
    );
    assert!(
        site.run_log(8).contains("----- Processing r8 (p1234) as "),
        "{}",
        site.run_log(8)
    );
    let table = site.run(&["table", "--json"]).succeeded().stdout;
    let table: serde_json::Value = serde_json::from_str(&table).expect("JSON");
    assert_eq!(table.as_array().map(Vec::len), Some(2), "{table:#}");
    assert_eq!(table[1]["run"], 8);
    assert_eq!(table[1]["one"], 1);
    assert_eq!(table[1]["two"], "two");
    let csv = site
        .run(&["table", "--csv", "--columns", "Two"])
        .succeeded()
        .stdout;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(
        csv.lines().next().is_some_and(|head| head.ends_with("two")),
        "{csv}"
    );
}

#[test]
fn reprocess_all_takes_the_runs_in_the_table_and_a_choice_of_variables() {
    let site = database();
    site.run(&["reprocess", "7", "8", "--mock", "--direct", "--var", "one"])
        .succeeded();
    assert_eq!(
        site.number("SELECT count(*) FROM run_variables WHERE name='two'"),
        Some(0.0)
    );
    site.run(&["reprocess", "all", "--mock", "--direct", "--match", "TWO"])
        .succeeded();
    assert_eq!(
        site.number("SELECT count(*) FROM run_variables WHERE name='two'"),
        Some(2.0)
    );
}

#[test]
fn reprocess_skips_runs_that_have_no_raw_data_and_says_which() {
    let site = database();
    let raw = site.data_root().join("SPB/202602/p001234/raw");
    std::fs::create_dir_all(raw.join("r0007")).expect("a raw folder");
    std::fs::write(raw.join("notes.txt"), "a stray file").expect("a stray file");
    let said = site.run(&["reprocess", "9", "--direct"]);
    assert!(said.stderr.contains('9'), "{said:#?}");
    assert_eq!(site.number("SELECT count(*) FROM run_info"), Some(0.0));
}

#[test]
fn what_is_watched_is_added_listed_and_removed() {
    let site = database();
    let db = site.db();
    let db = db.to_str().expect("UTF-8");
    listener(&site, &["add", "1234", db]).succeeded();
    let listed = listener(&site, &["databases"]).succeeded().stdout;
    assert!(
        listed.contains("p1234") && listed.contains(db) && listed.contains("unofficial"),
        "{listed}"
    );
    listener(&site, &["rm", db]).succeeded();
    assert!(
        !listener(&site, &["databases"])
            .succeeded()
            .stdout
            .contains(db)
    );
    listener(&site, &["rm", db]).failed(1, &[db]);
}

#[test]
fn the_listener_starts_static_and_can_be_made_dynamic() {
    let site = database();
    assert_eq!(
        listener(&site, &["config", "static-mode"])
            .succeeded()
            .stdout,
        "1\n"
    );
    listener(&site, &["config", "static-mode", "0"]).succeeded();
    assert_eq!(
        listener(&site, &["config", "static-mode"])
            .succeeded()
            .stdout,
        "0\n"
    );
}

#[test]
fn every_command_has_a_help_with_an_example() {
    let site = database();
    for command in [
        &["init"][..],
        &["db-config"],
        &["proposal"],
        &["new-id"],
        &["read-context"],
        &["listener", "add"],
        &["listener", "rm"],
        &["listener", "databases"],
        &["listener", "config"],
        &["listener", "dead-letters"],
        &["listener", "inbox"],
        &["listen"],
        &["extract"],
        &["reprocess"],
        &["jobs"],
        &["jobs", "show"],
        &["jobs", "log"],
        &["jobs", "cancel"],
        &["jobs", "stop"],
        &["jobs", "kill"],
        &["jobs", "retry"],
        &["combiner", "run"],
        &["combiner", "now"],
        &["table"],
        &["config", "check"],
        &["migrate"],
        &["migrate", "v0-to-v1"],
        &["migrate", "intermediate-v1"],
        &["sandbox", "check"],
        &["demo"],
        &["completions"],
    ] {
        let all: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = site.run(&all).succeeded().stdout;
        assert!(help.contains("Example"), "{command:?}:\n{help}");
    }
}
