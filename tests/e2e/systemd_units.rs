//! The systemd units in `deploy/systemd/`, as `systemd-analyze` sees them.

use std::path::Path;
use std::process::Command;

use runledger_tests::{Finished, needs, runledger};

const UNITS: [&str; 2] = ["runledger-listener.service", "runledger-combiner.service"];

/// The units in a folder, with the program where it is here.
fn units() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for unit in UNITS {
        let text = std::fs::read_to_string(given(unit)).expect("a unit");
        assert!(text.contains("ExecStart=/usr/local/bin/runledger "));
        let here = text.replace(
            "/usr/local/bin/runledger",
            &runledger().display().to_string(),
        );
        std::fs::write(folder.path().join(unit), here).expect("a file in a temporary folder");
    }
    folder
}

fn given(unit: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/systemd")
        .join(unit)
}

fn analyze(arguments: &[&str], folder: &Path) -> Finished {
    let mut command = Command::new("systemd-analyze");
    Finished::of(
        command
            .args(arguments)
            .args(UNITS.map(|unit| folder.join(unit))),
    )
}

#[test]
fn systemd_understands_each_line_of_the_units() {
    if !needs("systemd-analyze", "systemd") {
        return;
    }
    let folder = units();
    let verified = analyze(&["verify"], folder.path()).succeeded();
    assert_eq!(verified.stderr, "");
}

#[test]
fn a_misspelt_line_would_be_noticed() {
    if !needs("systemd-analyze", "systemd") {
        return;
    }
    let folder = units();
    let unit = folder.path().join(UNITS[0]);
    let text = std::fs::read_to_string(&unit).expect("a unit");
    std::fs::write(&unit, text.replace("WatchdogSec", "WatchDogSec")).expect("a file");
    let verified = analyze(&["verify"], folder.path());
    assert!(
        verified.stderr.contains("WatchDogSec"),
        "{}",
        verified.stderr
    );
}

#[test]
fn the_services_are_exposed_no_more_than_their_work_needs() {
    if !needs("systemd-analyze", "systemd") {
        return;
    }
    let folder = units();
    analyze(
        &["security", "--offline=true", "--threshold=50", "--no-pager"],
        folder.path(),
    )
    .succeeded();
}
