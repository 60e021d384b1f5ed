//! Each thing that can be wrong gives one clear message that names it, and leaves nothing half-written.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runledger_tests::{Finished, Mount, Site};
use rusqlite::Connection;

const SOUND: &str = "from damnit_ctx import Variable\n\n@Variable()\ndef one(run):\n    return 1\n";

/// Every file of a folder with its content.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(dir)
        .expect("the folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let content = std::fs::read(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), content)
        })
        .collect();
    found.sort();
    found
}

fn with_context(context: &str) -> Site {
    let site = Site::quiet();
    site.init(context);
    site
}

/// `read-context` and a job both say what is wrong with the file, and write neither variables nor cells.
#[track_caller]
fn refuses(context: &str, words: &[&str]) {
    let site = with_context(context);
    site.run(&["read-context"]).failed(1, words);
    site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"])
        .failed(1, words);
    assert_eq!(site.number("SELECT count(*) FROM variables"), Some(0.0));
    assert_eq!(site.number("SELECT count(*) FROM run_variables"), Some(0.0));
    let left = std::fs::read_dir(site.db().join("extracted_data")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "a fragment is left");
}

#[test]
fn a_syntax_error_is_shown_with_its_line() {
    refuses(
        "from damnit_ctx import Variable\n\ndef broken(:\n",
        &["context.py", "line 3", "SyntaxError"],
    );
}

#[test]
fn an_import_that_fails_is_shown_with_its_line() {
    refuses(
        "import no_such_package_here\n",
        &["context.py", "line 1", "no_such_package_here"],
    );
}

#[test]
fn a_cycle_is_shown_with_the_names() {
    refuses(
        "from damnit_ctx import Variable\n\n@Variable()\ndef hen(run, e: 'var#egg'):\n    return 1\n\n\
         @Variable()\ndef egg(run, h: 'var#hen'):\n    return 1\n",
        &["hen", "egg", "circle"],
    );
}

#[test]
fn every_mistake_in_the_declarations_is_shown_at_once() {
    refuses(
        "from damnit_ctx import Variable\n\n@Variable(title='T', data='cooked')\ndef a(run):\n    return 1\n\n\
         @Variable(title='T', units='')\ndef b(run, x: 'var#nobody'):\n    return 1\n",
        &["cooked", "units", "nobody"],
    );
}

#[test]
fn a_folder_without_a_database_is_named_and_left_alone() {
    let site = Site::quiet();
    std::fs::create_dir(site.db()).expect("a folder");
    for command in [
        &["db-config"][..],
        &["proposal"],
        &["read-context"],
        &["extract", "1234", "7", "all"],
        &["reprocess", "7", "--direct"],
        &["table"],
        &["new-id"],
        &["combiner", "now", "."],
    ] {
        site.run(command)
            .failed(1, &["runs.sqlite", "runledger init"]);
        assert_eq!(contents(&site.db()), [], "{command:?} wrote something");
    }
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let site = with_context(SOUND);
    let path = site.db().join("runs.sqlite");
    let newer = Connection::open(&path).expect("the database");
    let sql = "UPDATE metameta SET value = 99 WHERE key = 'data_format_version'";
    newer.execute(sql, []).expect("a newer version");
    drop(newer);
    let before = contents(&site.db());
    for command in [
        &["db-config"][..],
        &["read-context"],
        &["extract", "1234", "7", "all", "--mock"],
        &["reprocess", "7", "--direct", "--mock"],
        &["table"],
        &["combiner", "now", "."],
    ] {
        site.run(command).failed(1, &["99", "4", "runs.sqlite"]);
        assert_eq!(contents(&site.db()), before, "{command:?} wrote something");
    }
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let site = with_context(SOUND);
    std::fs::write(
        site.db().join("runs.sqlite"),
        "not a database at all, but long enough to look at",
    )
    .expect("a file");
    site.run(&["table"]).failed(1, &["runs.sqlite", "database"]);
}

#[test]
fn a_damaged_run_file_is_named_with_what_to_do_and_new_results_wait() {
    let site = with_context(SOUND);
    let results = site.db().join("extracted_data");
    std::fs::create_dir_all(&results).expect("the folder of results");
    let file = results.join("p1234_r7.h5");
    std::fs::write(&file, [7; 5000]).expect("a damaged file");
    let words = [
        "p1234_r7.h5 is damaged",
        "Move it aside",
        "combiner now",
        "reprocess",
    ];
    let refused = site.run(&["reprocess", "7", "--direct", "--mock"]);
    assert_ne!(refused.code, Some(0), "{refused:#?}");
    let combined = site.run(&["combiner", "now", "."]).failed(3, &words);
    assert!(
        combined.stderr.contains("file signature not found"),
        "{combined:#?}"
    );
    let shown = site.run(&["jobs", "show", "--run", "7"]).succeeded();
    for (said, by) in [
        (refused.stderr, "reprocess"),
        (shown.stdout, "jobs"),
        (site.run_log(7), "log"),
    ] {
        assert!(words.iter().all(|word| said.contains(word)), "{by}: {said}");
    }
    assert_eq!(std::fs::read(&file).expect("the file"), [7; 5000]);
    std::fs::rename(&file, file.with_extension("h5.damaged")).expect("moved aside");
    site.run(&["combiner", "now", "."]).succeeded();
    assert_eq!(
        site.number("SELECT value FROM run_variables WHERE run = 7"),
        Some(1.0)
    );
}

/// Root may write everywhere: then a read-only file system is the only way to be refused.
fn can_be_refused(dir: &Path) -> bool {
    let probe = dir.join("probe");
    let refused = std::fs::write(&probe, "").is_err();
    let _ = std::fs::remove_file(probe);
    refused
}

/// `jobs` says of a file what is said of one like this, and what to do.
#[track_caller]
fn is_told_of(site: &Site, dir: &Path, words: &[&str]) {
    let before = contents(dir);
    Finished::of(&mut site.command(dir, &["jobs"])).failed(1, words);
    assert_eq!(contents(dir), before);
}

#[test]
fn a_ledger_that_is_damaged_or_newer_is_named_with_what_to_do() {
    let site = with_context(SOUND);
    let path = site.db().join("ledger.sqlite");
    std::fs::write(&path, [7; 5000]).expect("a damaged ledger");
    let words = ["ledger.sqlite", "is damaged", "move it aside", "reprocess"];
    is_told_of(&site, &site.db(), &words);
    std::fs::remove_file(&path).expect("moved aside");
    site.run(&["reprocess", "7", "--direct", "--mock"])
        .succeeded();
    site.run(&["jobs"]).succeeded();
    let newer = Connection::open(&path).expect("the ledger");
    let sql = "UPDATE schema_version SET version = 9999";
    newer.execute(sql, []).expect("a newer version");
    drop(newer);
    site.run(&["jobs"])
        .failed(1, &["ledger.sqlite", "v9999", "the program that wrote it"]);
}

#[test]
fn a_listeners_database_that_is_damaged_or_none_is_named_with_what_to_do() {
    let site = Site::quiet();
    let dir = site.path("another");
    std::fs::create_dir(&dir).expect("a folder");
    let path = dir.join("listener.sqlite");
    std::fs::write(&path, [7; 5000]).expect("a damaged one");
    let words = [
        "listener.sqlite",
        "is damaged",
        "move it aside",
        "listener add",
    ];
    is_told_of(&site, &dir, &words);
    std::fs::remove_file(&path).expect("moved aside");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    is_told_of(&site, &dir, &["listener.sqlite is no regular file"]);
}

#[test]
fn a_read_only_database_can_be_looked_at_and_says_so_when_written() {
    let site = with_context(SOUND);
    let writable = std::fs::metadata(site.db())
        .expect("the folder")
        .permissions();
    set_mode(&site.db(), 0o555);
    set_mode(&site.db().join("runs.sqlite"), 0o444);
    let is_refused = can_be_refused(&site.db());
    let mount = (!is_refused)
        .then(|| Mount::read_only(&site.db()))
        .flatten();
    if !is_refused && mount.is_none() {
        return;
    }
    site.run(&["table"]).succeeded();
    site.run(&["proposal", "99"])
        .failed(1, &["runs.sqlite", "read-only"]);
    drop(mount);
    std::fs::set_permissions(site.db(), writable).expect("the folder as it was");
    assert_eq!(
        site.number("SELECT value FROM metameta WHERE key='proposal'"),
        Some(1234.0)
    );
}

#[test]
fn a_full_disk_is_named_and_nothing_is_half_written() {
    let site = with_context(
        "from damnit_ctx import Variable\nimport numpy as np\n\n@Variable()\ndef big(run):\n    return np.ones(4_000_000)\n",
    );
    let small = site.path("small");
    std::fs::create_dir(&small).expect("a mount point");
    let Some(_disk) = Mount::small(&small, "2m") else {
        return;
    };
    for entry in ["runs.sqlite", "context.py"] {
        std::fs::copy(site.db().join(entry), small.join(entry)).expect("a copy");
    }
    let mut extract = site.command(
        &small,
        &["extract", "1234", "7", "all", "--mock", "--update-vars"],
    );
    let finished = Finished::of(&mut extract);
    assert_ne!(finished.code, Some(0), "{finished:#?}");
    assert!(
        finished.stderr.to_lowercase().contains("space"),
        "{finished:#?}"
    );
    let left: Vec<String> = std::fs::read_dir(small.join("extracted_data"))
        .map(|all| {
            all.map(|e| {
                e.expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
        })
        .unwrap_or_default();
    assert!(
        left.iter().all(|name| !name.ends_with(".writing.h5")),
        "{left:?}"
    );
}

#[test]
fn a_python_that_is_missing_is_named() {
    let site = with_context(SOUND);
    site.run(&["db-config", "context-python", "/no/such/python"])
        .succeeded();
    site.run(&["extract", "1234", "7", "all", "--mock"]).failed(
        1,
        &["/no/such/python", "context-python", "RUNLEDGER_CONFIG"],
    );
}

#[test]
fn a_python_that_is_too_old_is_named_with_its_version() {
    let site = with_context(SOUND);
    // The greeting of a real one, on the channel that it is given.
    let greeting =
        r#"{"message": "hello", "protocol": 3, "python": "3.6.15", "pid": 1, "buffers": []}"#;
    let old = site.path("old-python");
    let script = format!(
        "#!/bin/sh\nprintf '\\{:o}\\000\\000\\000%s' '{greeting}' >&3\n",
        greeting.len()
    );
    std::fs::write(&old, script).expect("a script");
    set_mode(&old, 0o755);
    let old = old.to_str().expect("UTF-8").to_owned();
    site.run(&["db-config", "context-python", &old]).succeeded();
    site.run(&["extract", "1234", "7", "all", "--mock"])
        .failed(1, &[&old, "3.6.15", "3.9"]);
}

#[test]
fn a_misspelt_setting_is_refused_by_name_and_file() {
    let site = with_context(SOUND);
    site.configure("local_limit", "local_limt");
    site.run(&["table"])
        .failed(2, &["local_limt", "runledger.toml"]);
}

#[test]
fn config_check_tells_everything_at_once() {
    let site = with_context(SOUND);
    site.configure("local_limit = 2", "local_limit = 0");
    site.configure("[context]\n", "[context]\nopener = \"nowhere\"\n");
    let python = runledger_tests::python();
    site.configure(&format!("{python:?}"), "\"no-such-python\"");
    site.run(&["config", "check"])
        .failed(1, &["local_limit", "nowhere", "no-such-python"]);
}

#[test]
fn config_check_is_content_with_a_sound_file() {
    let finished = with_context(SOUND).run(&["config", "check"]).succeeded();
    assert!(finished.stdout.contains("runledger.toml"), "{finished:#?}");
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let site = with_context(SOUND);
    assert_eq!(site.run(&["extract", "1234", "-7", "all"]).code, Some(2));
    assert_eq!(site.run(&["extract", "1234", "7", "some"]).code, Some(2));
    assert_eq!(site.run(&["reprocess", "seven", "--direct"]).code, Some(2));
    assert_eq!(site.run(&["no-such-command"]).code, Some(2));
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own file");
}
