//! A migration whose disk refuses: the database and the run files are as they were, or new; done again, it is done.

use std::path::Path;
use std::process::Command;

use runledger_tests::{FaultyDisk, Finished, Site, python};

use crate::{is_there, run_on};

/// A site whose database has a past format.
fn site(format: &str) -> Site {
    let site = Site::quiet();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/past/make.py");
    let mut make = Command::new(python());
    Finished::of(make.arg(script).arg(format).arg(site.db())).succeeded();
    site
}

fn format(site: &Site) -> String {
    let told = site.run(&["migrate", "--check", "--json"]).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    told["format"].as_str().expect("a format").to_owned()
}

#[test]
fn an_upgrade_that_the_disk_does_not_take_leaves_the_database_as_it_was() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = site("2");
    for fault in [
        "write ENOSPC 0 -backup.sqlite.draft",
        "sync EIO 0 -backup.sqlite.draft",
        "write EDQUOT 0 runs.sqlite",
        "sync EIO 0 runs.sqlite",
        "open EROFS 0 runs.sqlite",
    ] {
        disk.begin(&[fault]);
        let refused = run_on(&disk, &site, &["migrate"]);
        assert_ne!(refused.code, Some(0), "{fault}: {refused:#?}");
        assert!(refused.stderr.contains("runs.sqlite") || refused.stderr.contains("backup"));
        assert!(!disk.met().is_empty(), "{fault}");
        disk.end();
        assert_eq!(format(&site), "v2", "{fault}");
        assert!(!is_there(&site.db(), ".draft"), "{fault}");
    }
    site.run(&["migrate"]).succeeded();
    assert_eq!(format(&site), "v4");
    site.run(&["migrate", "--check"]).succeeded();
}

#[test]
fn a_run_file_whose_new_form_the_disk_does_not_take_stays_and_is_converted_by_the_next_migration() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    for fault in [
        "write ENOSPC 0 .p1234_r1.h5.converting",
        "sync EIO 0 .p1234_r1.h5.converting",
        "name EDQUOT 0 extracted_data/p1234_r1.h5",
        "name EDQUOT 0 v0-backup/p1234_r1.h5",
    ] {
        let site = site("0");
        let file = site.db().join("extracted_data/p1234_r1.h5");
        let before = std::fs::read(&file).expect("a run's file");
        disk.begin(&[fault]);
        let partly = run_on(&disk, &site, &["migrate"]);
        assert!(!disk.met().is_empty(), "{fault}: {partly:#?}");
        assert!(partly.stdout.contains("p1234 r1: "), "{fault}: {partly:#?}");
        disk.end();
        assert_eq!(
            std::fs::read(&file).expect("a run's file"),
            before,
            "{fault}"
        );
        assert!(!is_there(&site.db().join("extracted_data"), ".converting"));
        partly.failed(3, &["one run file stays as it is", "the rest is done"]);
        site.run(&["migrate", "--restore", "--yes"]).succeeded();
        let told = site.run(&["migrate"]).succeeded().stdout;
        assert!(told.contains("3 run files were converted"), "{told}");
    }
}

#[test]
fn going_back_to_a_copy_that_the_disk_does_not_take_leaves_the_database_as_it_was() {
    let Some(disk) = FaultyDisk::new() else {
        return;
    };
    let site = site("2");
    site.run(&["migrate"]).succeeded();
    let restore = ["migrate", "--restore", "runs.v2-backup.sqlite", "--yes"];
    for fault in ["write ENOSPC 0 runs.sqlite", "sync EIO 0 runs.sqlite"] {
        disk.begin(&[fault]);
        let refused = run_on(&disk, &site, &restore);
        assert_ne!(refused.code, Some(0), "{fault}: {refused:#?}");
        assert!(!disk.met().is_empty(), "{fault}");
        disk.end();
        assert_eq!(format(&site), "v4", "{fault}");
    }
    site.run(&restore).succeeded();
    assert_eq!(format(&site), "v2");
}
