//! Results that users' own code hands in, to a disk that does not take them: they hear of it, and still have the results.

use std::process::Command;

use runledger_tests::{FaultyDisk, Finished, Site, python, runledger, script};

use crate::{left_over, value};

/// A notebook that finds our Pipeline and the binary.
fn notebook(site: &Site) -> Command {
    let home = site.path("");
    let path = Finished::of(&mut site.command(&home, &["python-path"])).succeeded();
    let binary = runledger();
    let known = std::env::var("PATH").unwrap_or_default();
    let folder = binary.parent().expect("the binary is in a folder");
    let mut command = Command::new(python());
    command.arg(script("notebook.py")).arg(site.db());
    command
        .args(["1234", "7"])
        .current_dir(&home)
        .env("PYTHONPATH", path.stdout.trim_end())
        .env("PATH", format!("{}:{known}", folder.display()))
        .env("RUNLEDGER_CONFIG", site.path("runledger.toml"))
        .env("AMORE_BROKER", "none");
    command
}

#[test]
fn whoever_saves_results_hears_that_the_disk_does_not_take_them_and_can_save_them_again() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::quiet();
    site.init("");
    for (fault, words) in [
        ("write ENOSPC 0 .writing.h5", "No space left"),
        ("sync EIO 1 .writing.h5", "Input/output error"),
        ("name EDQUOT 0 .ready.h5", "quota"),
        ("open EROFS 0 .writing.h5", "Read-only"),
    ] {
        disk.begin(&[fault]);
        let saved = Finished::of(disk.under(&mut notebook(&site)));
        assert_ne!(saved.code, Some(0), "{fault}");
        assert!(saved.stderr.contains("NotSaved"), "{}", saved.stderr);
        assert!(saved.stderr.contains(words), "{words}: {}", saved.stderr);
        assert_eq!(left_over(&site), [""; 0], "{fault}");
        assert_eq!(value(&site, 7, "area"), None, "{fault}");
        disk.end();
    }
    Finished::of(disk.under(&mut notebook(&site))).succeeded();
    assert_eq!(value(&site, 7, "area"), Some(6.25));
}

#[test]
fn saved_results_that_the_table_does_not_take_wait_as_a_fragment() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = Site::quiet();
    site.init("");
    disk.begin(&["write ENOSPC 0 runs.sqlite"]);
    let saved = Finished::of(disk.under(&mut notebook(&site))).succeeded();
    assert!(saved.stderr.contains("waits to be merged"), "{saved:#?}");
    assert_eq!((left_over(&site).len(), value(&site, 7, "area")), (1, None));
    disk.end();
    site.run(&["combiner", "now", "."]).succeeded();
    assert_eq!(value(&site, 7, "area"), Some(6.25));
}
