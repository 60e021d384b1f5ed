//! `migrate` that is killed in the middle: every file is old or new, and the next one comes to the same end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runledger_storage::migrate::{self, Format, LATEST};
use runledger_tests::{Service, Site};

/// As many run files as keep several processes at work for a while.
const FILES: usize = 23;

/// A site whose database has format 0.
fn old() -> Site {
    let site = Site::of_format("0");
    let results = site.db().join("extracted_data");
    for number in 3..FILES {
        let copy = results.join(format!("p1234_r{}.h5", number + 100));
        std::fs::copy(results.join("p1234_r1.h5"), copy).unwrap();
    }
    site
}

/// The files in a folder, with what is in them.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let files = paths.filter(|path| path.is_file());
    let named = |path: &Path| PathBuf::from(path.file_name().unwrap());
    files
        .filter_map(|path| Some((named(&path), std::fs::read(&path).ok()?)))
        .collect()
}

/// Runs `migrate` and kills it as soon as something is the case.
fn kill_when(site: &Site, is_so: impl Fn() -> bool) {
    let command = &mut site.command(&site.db(), &["migrate", "--quiet"]);
    let mut migrate = Service::start(command, &site.path("migrate.log"));
    while !is_so() && migrate.is_running() {
        std::thread::sleep(Duration::from_millis(1));
    }
    migrate.kill();
}

/// Processes that outlive it may still be at a file, which makes no difference.
fn every_file_is_old_or_new(site: &Site, old: &BTreeMap<PathBuf, Vec<u8>>) {
    let results = site.db().join("extracted_data");
    for run in migrate::runs_with_files(&site.db()).unwrap() {
        let name = PathBuf::from(format!("p{}_r{}.h5", run.proposal.0, run.number.0));
        if std::fs::read(results.join(&name)).unwrap() == old[&name] {
            continue;
        }
        let kept = std::fs::read(results.join("v0-backup").join(&name)).unwrap();
        assert!(kept == old[&name], "{}", name.display());
        let found = migrate::survey_run_file(&site.db(), run, Format::Wide).unwrap();
        assert!(!found.changes(), "{}", name.display());
    }
    let format = migrate::plan(&site.db()).unwrap().format;
    assert!(matches!(format, Format::Wide | Format::Numbered(LATEST)));
}

/// The files of results and the originals, by name and size: HDF5 notes when something was made.
fn sizes(site: &Site) -> Vec<(PathBuf, usize)> {
    let results = site.db().join("extracted_data");
    let all = [files(&results), files(&results.join("v0-backup"))];
    let all = all.into_iter().flatten();
    all.map(|(name, bytes)| (name, bytes.len())).collect()
}

#[test]
fn whenever_a_migration_is_killed_files_are_old_or_new_and_the_next_one_finishes_it() {
    let first = old();
    let originals = files(&first.db().join("extracted_data"));
    let whole = first.copied();
    whole.run(&["migrate"]).succeeded();
    let instants = [0, 1, FILES / 2, FILES].map(Some);
    for instant in instants.into_iter().chain([None]) {
        let site = first.copied();
        let (db, results) = (site.db(), site.db().join("extracted_data"));
        kill_when(&site, || match instant {
            Some(0) => results.join(".merging").exists(),
            Some(count) => files(&results.join("v0-backup")).len() >= count,
            None => db.join("runs.v0-backup.sqlite").exists(),
        });
        every_file_is_old_or_new(&site, &originals);
        site.run(&["migrate"]).succeeded();
        assert_eq!(site.cells(), whole.cells(), "{instant:?}");
        assert_eq!(sizes(&site), sizes(&whole), "{instant:?}");
        let told = site.run(&["migrate", "--restore", "runs.v0-backup.sqlite", "--yes"]);
        told.succeeded();
        let back = files(&results);
        assert!(originals.iter().all(|(name, bytes)| back[name] == *bytes));
    }
}
