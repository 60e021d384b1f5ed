//! `migrate`, as people use it on databases of past formats.

use std::path::Path;

use runledger_tests::{Finished, Site, python};

/// A site whose database has a past format.
fn site(format: &str) -> Site {
    let site = Site::quiet();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/past/make.py");
    let mut make = std::process::Command::new(python());
    make.arg(script).arg(format).arg(site.db());
    Finished::of(&mut make).succeeded();
    site
}

#[test]
fn an_old_database_is_checked_brought_to_the_present_format_and_back() {
    let site = site("2");
    let told = site.run(&["migrate", "--check"]).succeeded().stdout;
    assert!(
        told.contains("has format v2; to be done: → v3 tags, → v4"),
        "{told}"
    );
    let told = site.run(&["migrate", "--dry-run"]).succeeded().stdout;
    assert!(told.contains("Nothing was changed"), "{told}");
    let told = site.run(&["migrate", "--to", "4"]).succeeded().stdout;
    assert!(told.contains("had format v2 and has v4 now"), "{told}");
    let told = site.run(&["migrate"]).succeeded().stdout;
    assert!(told.contains("nothing is to be done"), "{told}");
    site.run(&["migrate", "--restore"])
        .failed(2, &["nothing is done", "--yes"]);
    let told = site
        .run(&["migrate", "--restore", "--yes"])
        .succeeded()
        .stdout;
    assert!(
        told.contains("format v2") && told.contains("runs.v4-backup.sqlite"),
        "{told}"
    );
    // Now there are two.
    site.run(&["migrate", "--restore", "--yes"])
        .failed(2, &["several copies", "runs.v2-backup.sqlite (v2)"]);
    site.run(&["migrate", "--restore", "runs.v4-backup.sqlite", "--yes"])
        .succeeded();
    let checked = site
        .run(&["migrate", "--check", "--json"])
        .succeeded()
        .stdout;
    let checked: serde_json::Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(checked["format"], "v4");
    assert_eq!(checked["problems"], serde_json::json!([]));
}

#[test]
fn what_is_wrong_with_a_database_is_listed_and_the_command_fails() {
    let site = site("3");
    std::fs::write(site.db().join("extracted_data/p1234_r1.h5"), "torn").unwrap();
    let checked = site.run(&["migrate", "--check"]);
    assert!(
        checked.stdout.contains("p1234_r1.h5 cannot be read"),
        "{}",
        checked.stdout
    );
    checked.failed(1, &["one thing is wrong"]);
    site.run(&["migrate", "--to", "3"])
        .failed(2, &["format 4 only"]);
}
