//! A folder that everybody may write into, in which somebody puts something else in the place of a file.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use runledger_tests::{Finished, Site, eventually};

const CONTEXT: &str =
    "from damnit_ctx import Variable\n\n@Variable()\ndef answer(run):\n    return 42\n";

/// Far more than any of the commands takes, also on a machine with a lot to do.
const PATIENCE: Duration = Duration::from_secs(240);

type Plant = (&'static str, fn(&Path));

const PIPE: Plant = ("pipe", |place| {
    nix::unistd::mkfifo(place, Mode::S_IRWXU).unwrap();
});
const DEVICE: Plant = ("device", |place| symlink("/dev/zero", place).unwrap());
const FOLDER: Plant = ("folder", |place| fs::create_dir(place).unwrap());
const ENDLESS: Plant = ("endless file", |place| {
    fs::File::create(place).unwrap().set_len(1 << 40).unwrap();
});
const LINK: Plant = ("link", |place| {
    symlink(place.with_file_name("elsewhere"), place).unwrap()
});

/// Puts it in the place of a file of the database.
fn plant(site: &Site, name: &str, (_, make): Plant) {
    let place = site.db().join(name);
    // What a link leads to is a file of the right kind.
    let elsewhere = place.with_file_name("elsewhere");
    if fs::rename(&place, &elsewhere).is_err() {
        fs::write(&elsewhere, "").unwrap();
    }
    make(&place);
}

/// What becomes of a command that must not hang.
#[track_caller]
fn ended(site: &Site, arguments: &[&str]) -> Finished {
    let mut child = site
        .command(&site.db(), arguments)
        .stdin(std::process::Stdio::null())
        .stdout(fs::File::create(site.path("stdout")).unwrap())
        .stderr(fs::File::create(site.path("stderr")).unwrap())
        .spawn()
        .unwrap();
    let until = Instant::now() + PATIENCE;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = |name| fs::read_to_string(site.path(name)).unwrap();
    let finished = Finished {
        code,
        stdout: said("stdout"),
        stderr: said("stderr"),
    };
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

#[test]
fn each_command_says_that_the_table_is_none() {
    let commands: [&[&str]; 8] = [
        &["table"],
        &["db-config"],
        &["read-context"],
        &["jobs"],
        &["reprocess", "7", "--direct", "--mock"],
        &["extract", "1234", "7", "all", "--mock"],
        &["migrate", "--check"],
        &["proposal"],
    ];
    let kinds = [PIPE, DEVICE, FOLDER, ENDLESS, LINK];
    for (number, kind) in kinds.into_iter().enumerate() {
        let site = Site::quiet();
        site.init(CONTEXT);
        plant(&site, "runs.sqlite", kind);
        // Each command has something to do with a pipe, and two with whatever else it may be.
        let some = |at: usize| kind.0 == "pipe" || at % 4 == number - 1;
        for (_, command) in commands.iter().enumerate().filter(|(at, _)| some(*at)) {
            let finished = ended(&site, command);
            assert_ne!(
                finished.code,
                Some(0),
                "{command:?}, {}: {finished:#?}",
                kind.0
            );
            assert!(
                finished.stderr.contains("runs.sqlite"),
                "{command:?}, {}: {finished:#?}",
                kind.0
            );
        }
    }
}

#[test]
fn what_belongs_to_the_table_or_the_jobs_and_is_no_file_is_named() {
    let cases: [(&str, Plant, &[&str]); 9] = [
        ("runs.sqlite-journal", PIPE, &["table"]),
        ("runs.sqlite-wal", PIPE, &["db-config"]),
        (
            "runs.sqlite-journal",
            LINK,
            &["extract", "1234", "7", "all", "--mock"],
        ),
        ("ledger.sqlite", PIPE, &["jobs"]),
        (
            "ledger.sqlite",
            FOLDER,
            &["extract", "1234", "7", "all", "--mock"],
        ),
        (
            "ledger.sqlite-wal",
            PIPE,
            &["reprocess", "7", "--direct", "--mock"],
        ),
        (
            "extracted_data",
            PIPE,
            &["extract", "1234", "7", "all", "--mock"],
        ),
        (
            "extracted_data",
            LINK,
            &["reprocess", "7", "--direct", "--mock"],
        ),
        (
            "process_logs",
            PIPE,
            &["reprocess", "7", "--direct", "--mock"],
        ),
    ];
    for (name, kind, command) in cases {
        let site = Site::quiet();
        site.init(CONTEXT);
        plant(&site, name, kind);
        let finished = ended(&site, command);
        let said = finished.stdout.clone() + &finished.stderr;
        assert!(
            said.contains(name),
            "{name}, {}, {command:?}: {finished:#?}",
            kind.0
        );
        assert_ne!(finished.code, Some(0), "{name}, {}: {finished:#?}", kind.0);
    }
}

#[test]
fn a_context_file_or_a_configuration_that_is_no_text_is_named() {
    for kind in [PIPE, DEVICE, FOLDER, ENDLESS] {
        let site = Site::quiet();
        site.init(CONTEXT);
        plant(&site, "context.py", kind);
        let finished = ended(&site, &["read-context"]);
        assert_ne!(finished.code, Some(0), "{}: {finished:#?}", kind.0);
        assert!(
            finished.stderr.contains("context.py"),
            "{}: {finished:#?}",
            kind.0
        );
        plant(&site, "settings.toml", kind);
        let finished = ended(&site, &["table", "--config", "settings.toml"]);
        assert_ne!(finished.code, Some(0), "{}: {finished:#?}", kind.0);
        assert!(
            finished.stderr.contains("settings.toml"),
            "{}: {finished:#?}",
            kind.0
        );
    }
}

#[test]
fn a_log_that_is_no_file_is_named() {
    for kind in [PIPE, DEVICE] {
        let site = Site::quiet();
        site.init(CONTEXT);
        site.run(&["reprocess", "7", "--direct", "--mock"])
            .succeeded();
        plant(&site, "process_logs/r7-p1234.out", kind);
        let ledger = rusqlite::Connection::open(site.db().join("ledger.sqlite")).unwrap();
        let sql = "SELECT processing_id FROM jobs";
        let id: String = ledger.query_row(sql, [], |row| row.get(0)).unwrap();
        let finished = ended(&site, &["jobs", "log", &id]);
        assert_ne!(finished.code, Some(0), "{}: {finished:#?}", kind.0);
        assert!(
            finished.stderr.contains("r7-p1234.out"),
            "{}: {finished:#?}",
            kind.0
        );
    }
}

#[test]
fn a_log_that_is_another_name_of_a_private_file_is_neither_written_nor_shown() {
    let site = Site::quiet();
    site.init(CONTEXT);
    let direct = ["reprocess", "7", "--direct", "--mock"];
    ended(&site, &direct).succeeded();
    let (log, private) = (
        site.db().join("process_logs/r7-p1234.out"),
        site.path("private"),
    );
    fs::rename(&log, &private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&private, &log).unwrap();
    let before = fs::read(&private).unwrap();
    for arguments in [&direct[..], &["jobs", "log", "--run", "7"]] {
        let finished = ended(&site, arguments);
        assert!(
            finished.code != Some(0) && finished.stdout.is_empty(),
            "{finished:#?}"
        );
        let says =
            finished.stderr.contains("r7-p1234.out") && finished.stderr.contains("another name");
        assert!(says, "{finished:#?}");
    }
    assert_eq!(fs::read(&private).unwrap(), before);
}

#[test]
fn what_somebody_wrote_into_the_table_and_the_ledger_is_never_run() {
    let site = Site::quiet();
    site.init(CONTEXT);
    ended(&site, &["reprocess", "1", "--direct", "--mock"]).succeeded();
    let endless = "SELECT count(*) FROM (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n)";
    let tables = ["run_info", "run_variables", "variables", "jobs", "attempts"];
    for (file, tables) in [
        ("runs.sqlite", &tables[..3]),
        ("ledger.sqlite", &tables[3..]),
    ] {
        let table = rusqlite::Connection::open(site.db().join(file)).unwrap();
        for (table_name, event) in tables
            .iter()
            .flat_map(|name| [(name, "INSERT"), (name, "UPDATE")])
        {
            let trigger = format!(
                "CREATE TRIGGER {event}_{table_name} AFTER {event} ON {table_name} BEGIN {endless}; END"
            );
            table.execute_batch(&trigger).unwrap();
        }
    }
    ended(&site, &["reprocess", "1", "2", "--direct", "--mock"]).succeeded();
    let table = ended(&site, &["table", "--csv"]).succeeded();
    assert_eq!(table.stdout.matches("42").count(), 2, "{}", table.stdout);
    let checked = ended(&site, &["migrate", "--check"]);
    for name in ["INSERT_run_info", "UPDATE_variables"] {
        assert!(checked.stdout.contains(name), "{}", checked.stdout);
    }
}

#[test]
fn a_context_file_may_be_a_link_to_one() {
    let site = Site::quiet();
    site.init(CONTEXT);
    plant(&site, "context.py", LINK);
    ended(&site, &["read-context"]).succeeded();
}

/// Another proposal's database, beside the first, is worked for all the same.
#[test]
fn the_services_say_so_and_go_on_with_other_databases() {
    for (name, kind) in [
        ("runs.sqlite", PIPE),
        ("runs.sqlite-journal", PIPE),
        ("ledger.sqlite", LINK),
        ("extracted_data", LINK),
    ] {
        let site = Site::with_broker().watching(CONTEXT);
        site.watch_another("other", "5678", CONTEXT);
        plant(&site, name, kind);
        let (mut listener, mut combiner) = (
            site.service(&["listen", "."]),
            site.service(&["combiner", "run"]),
        );
        site.announce("migration_complete", 7);
        site.notify(r#"{"event": "migration_complete", "proposal": 5678, "run": 8}"#);
        let value = || {
            let table = rusqlite::Connection::open(site.path("other/runs.sqlite")).ok()?;
            let sql = "SELECT value FROM run_variables WHERE name='answer' AND run=8";
            table.query_row(sql, [], |row| row.get::<_, f64>(0)).ok()
        };
        let said = || listener.said() + &combiner.said() + &log_of(&site);
        eventually(
            "the run is merged, and somebody tells of the file",
            || format!("{name}, {}: {:?}\n{}", kind.0, value(), said()),
            || value().is_some() && said().contains(&format!("db/{name}")),
        );
        assert_eq!(listener.stop(), Some(0));
        assert_eq!(combiner.stop(), Some(0));
    }
}

/// What the jobs said.
fn log_of(site: &Site) -> String {
    let logs = fs::read_dir(site.db().join("process_logs"));
    let texts = logs.into_iter().flatten().flatten();
    texts
        .map(|log| fs::read_to_string(log.path()).unwrap_or_default())
        .collect()
}

#[test]
fn what_has_a_fragments_name_and_is_none_is_named_by_whoever_merges() {
    let site = Site::quiet();
    site.init(CONTEXT);
    let results = site.db().join("extracted_data");
    fs::create_dir_all(&results).unwrap();
    (PIPE.1)(&results.join("p1234_r1.a.ready.h5"));
    let odd = std::ffi::OsStr::from_bytes(b"p1234_r1.\xff\x1b.ready.h5");
    fs::write(results.join(odd), "").unwrap();
    fs::write(results.join("p1234_r99999999999.a.ready.h5"), "").unwrap();
    let said = ended(&site, &["combiner", "now", "."]).succeeded().stderr;
    for name in [
        "p1234_r1.a.",
        "p1234_r1.\\xFF\\u{1b}.",
        "p1234_r99999999999.a.",
    ] {
        assert_eq!(said.matches(name).count(), 1, "{name}: {said}");
    }
    assert!(said.contains("passed over"), "{said}");
}
