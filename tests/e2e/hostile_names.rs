//! Names, titles, texts and messages that are meant for somebody else: for SQL, for a path, for a terminal, for a log.

use runledger_context::run::RunId;
use runledger_context::value::{Failure, Outcome};
use runledger_storage::fragment::FragmentWriter;
use runledger_tests::{Finished, Site, eventually, on_a_terminal};

const CONTEXT: &str = r#"
from damnit_ctx import Variable

@Variable(title="\x1b]0;owned\x07\x1b[2J a 'title' \"of\" \u202etxt.exe\nand more")
def titled(run):
    return "\x1b[31mred\x1b[0m\r\u009b2J"

@Variable(title="=HYPERLINK(\"http://x\")", tags="a'; DROP TABLE tags; --")
def formula(run):
    return "=1+1"

@Variable()
def raising(run):
    raise type("\x1b[8mClass", (Exception,), {})("a message\nof \x1b[2J lines")
"#;

/// What no variable is called.
fn bad_names() -> Vec<String> {
    let names = [
        "a\"; DROP TABLE run_variables; --",
        "a'b",
        "two\nlines",
        "\u{1b}[2J",
        "../../etc/passwd",
        ".hidden",
        ".",
        "..",
        "😀",
        "\u{202e}gnp",
        "a b",
        "proposal",
        "run",
    ];
    names.map(str::to_owned).into()
}

/// A fragment of run 7 by somebody who writes HDF5.
fn fragment(site: &Site, names: &[String]) {
    let mut writer =
        FragmentWriter::create(&site.db(), RunId::new(1234, 7), "x", "\u{1b}[2J'\"").unwrap();
    let outcome = Outcome::Failed(Failure {
        class: "E".into(),
        message: "it was here".into(),
    });
    for name in names {
        // What HDF5 itself refuses cannot be in a fragment.
        let _ = writer.save(name, &outcome);
    }
    writer.finish().unwrap();
}

/// Nothing that a terminal obeys.
#[track_caller]
fn assert_harmless(text: &str) {
    let acts = |c: &char| c.is_control() && *c != '\n' && *c != '\t' || *c == '\u{202e}';
    assert_eq!(text.chars().find(acts), None, "{text}");
}

#[test]
fn names_in_a_fragment_that_are_none_are_not_in_the_table_and_the_others_are() {
    let site = Site::quiet();
    site.init(CONTEXT);
    let long = "x".repeat(10_000);
    let mut names = bad_names();
    names.extend([
        "fine".into(),
        "group.fine".into(),
        "énergie".into(),
        long.clone(),
    ]);
    fragment(&site, &names);
    site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"])
        .succeeded();
    let table = site.table();
    let mut cells = table
        .prepare("SELECT name FROM run_variables ORDER BY name")
        .unwrap();
    let found: Vec<String> = cells
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let wanted = [
        "fine",
        "formula",
        "group.fine",
        "raising",
        "titled",
        &long,
        "énergie",
    ];
    assert_eq!(found, wanted);
    for command in [&["table"][..], &["jobs", "show"], &["migrate", "--check"]] {
        let finished = site.run(command);
        assert_harmless(&(finished.stdout + &finished.stderr));
    }
}

#[test]
fn titles_texts_and_errors_reach_a_terminal_as_text_and_programs_as_they_are() {
    let site = Site::quiet();
    site.init(CONTEXT);
    site.run(&["extract", "1234", "7", "all", "--mock", "--update-vars"])
        .succeeded();
    let shown = site.run(&["table"]).succeeded().stdout;
    assert_harmless(&shown);
    assert!(shown.contains("\\u{1b}[31mred"), "{shown}");
    let json = site.run(&["table", "--json"]).succeeded().stdout;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[0]["titled"], "\u{1b}[31mred\u{1b}[0m\r\u{9b}2J");
    assert_eq!(rows[0]["formula"], "=1+1");
    assert_eq!(rows[0]["raising"]["error"], "a message\nof \u{1b}[2J lines");
    let csv = site.run(&["table", "--csv"]).succeeded().stdout;
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .ends_with("titled,formula,raising"),
        "{csv}"
    );
    let tags = site.text("SELECT name FROM tags");
    assert_eq!(tags.as_deref(), Some("a'; DROP TABLE tags; --"));
}

#[test]
fn a_message_cannot_write_a_line_of_its_own_into_the_log() {
    let site = Site::with_broker().watching(CONTEXT);
    let mut listener = site.service(&["listen", "."]);
    let forged = "2026-01-01T00:00:00Z  INFO runledger_listener: forged \\u001b[2J";
    site.notify(&format!(
        r#"{{"event": "migration_complete", "proposal": "1\n{forged}", "run": "x\n{forged}"}}"#
    ));
    site.notify_on(
        "test.damnit.file_submissions",
        &format!(
            r#"{{"msg_kind": "file_submission", "data": {{"damnit_dir": "/no\n{forged}", "new_file": "/x\n{forged}",
                "proposal": 1234, "run": 7}}}}"#
        ),
    );
    let mut combiner = site.service(&["combiner", "run"]);
    eventually(
        "both say what was forged",
        || listener.said() + &combiner.said(),
        || listener.said().contains("forged") && combiner.said().contains("forged"),
    );
    assert_eq!(listener.stop(), Some(0));
    assert_eq!(combiner.stop(), Some(0));
    let file = std::fs::read_to_string(site.listener().join("damnit.log")).unwrap();
    for log in [listener.said(), combiner.said(), file] {
        assert_harmless(&log);
        let is_forged = |line: &str| line.starts_with("2026-01-01T00:00:00Z");
        assert!(!log.lines().any(is_forged), "{log}");
    }
}

const PRINTING: &str = r#"
import os, time
from damnit_ctx import Variable

@Variable()
def printing(run):
    os.write(1, b"\x1b]0;evil\x07 \x1b[31mred\nhalf of \xc3")
    time.sleep(0.1)
    os.write(1, b"\xa9, and no end")
    return 1

@Variable()
def last(run):
    os.write(1, b" of the line")
    os._exit(1)
"#;

#[test]
fn a_terminal_does_not_obey_what_a_job_prints_and_a_file_has_it_as_it_is() {
    let site = Site::quiet();
    site.init(PRINTING);
    let arguments = ["reprocess", "7", "--direct", "--mock"];
    let command = site.command(&site.db(), &arguments);
    let shown = Finished::of(&mut on_a_terminal(&command)).stdout;
    assert!(
        shown.contains("\\u{1b}]0;evil\\u{7} \\u{1b}[31mred"),
        "{shown:?}"
    );
    assert!(!shown.contains("\u{1b}]0") && !shown.contains("\u{1b}[31m"));
    assert!(
        shown.contains("half of é, and no end") && shown.contains("of the line"),
        "{shown:?}"
    );
    let raw = "\u{1b}]0;evil\u{7} \u{1b}[31mred";
    let piped = site.run(&arguments).stdout;
    assert!(piped.contains(raw), "{piped:?}");
    assert_eq!(site.run_log(7).matches(raw).count(), 2);
}
