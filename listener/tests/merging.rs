//! Fragments become rows and news, whatever stands in the way.

mod support;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use runledger_listener::combiner::{ATTENDED, combine_folder, merge_run};
use runledger_listener::ledger::{Ledger, State};
use runledger_storage::fragment::{self, Fragment, ready_fragments};
use runledger_storage::{CellValue, run_file};
use support::*;

#[test]
fn a_fragment_becomes_a_row_and_the_news_and_goes() {
    let folder = database();
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    let combined = merge_run(
        folder.path(),
        run(7),
        ATTENDED,
        &mut publisher(Some(NOBODY)),
    )
    .unwrap();
    assert_eq!(combined.fragments, std::slice::from_ref(&file));
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
    assert!(!file.exists() && folder.path().join("extracted_data/p1234_r7.h5").is_file());
}

#[test]
fn the_news_outlives_a_combiner_that_ends_before_the_broker_has_it() {
    let folder = database();
    fragment(folder.path(), 7, "a", "energy", 1.5);
    let mut publisher = publisher(Some(NOBODY));
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher).unwrap();
    // As when the process is killed: nothing is closed.
    std::mem::forget(publisher);
    let news = waiting(folder.path());
    assert_eq!(news.len(), 1, "{news:?}");
    assert_eq!(
        news[0]["data"]["values"],
        serde_json::json!({"energy": null})
    );
}

#[test]
fn the_fragment_stays_until_its_news_are_written_down() {
    let folder = database();
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    std::fs::create_dir(folder.path().join("ledger.sqlite")).unwrap();
    let mut publisher = publisher(Some(NOBODY));
    assert!(merge_run(folder.path(), run(7), ATTENDED, &mut publisher).is_err());
    assert!(file.exists());
    std::fs::remove_dir(folder.path().join("ledger.sqlite")).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher).unwrap();
    assert_eq!(waiting(folder.path()).len(), 1);
    assert!(!file.exists());
}

#[test]
fn merging_again_what_was_merged_before_a_crash_changes_nothing() {
    let folder = database();
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    let kept = std::fs::read(&file).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    // Killed before the fragment was removed.
    std::fs::write(&file, kept).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
    assert!(!file.exists());
}

#[test]
fn the_fragment_that_was_written_last_has_the_last_word() {
    let folder = database();
    let newer = fragment(folder.path(), 7, "a", "energy", 2.0);
    let older = fragment(folder.path(), 7, "b", "energy", 1.0);
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    let file = std::fs::File::options().write(true).open(&older).unwrap();
    file.set_modified(hour_ago).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(2.0));
    assert!(!newer.exists() && !older.exists());
}

#[test]
fn a_fragment_that_cannot_be_read_is_set_aside_and_the_others_are_merged() {
    let folder = database();
    fragment(folder.path(), 7, "a", "energy", 1.5);
    let broken = folder.path().join("extracted_data/p1234_r7.b.ready.h5");
    std::fs::write(&broken, "no HDF5").unwrap();
    fragment(folder.path(), 8, "c", "energy", 2.5);
    let combined = combine_folder(folder.path(), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(combined.runs, [run(7), run(8)]);
    assert_eq!(combined.broken.len(), 1);
    assert!(combined.broken[0].0.is_file() && !broken.exists());
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
    let log = folder.path().join("process_logs/r7-p1234.out");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("cannot be read") && log.contains("p1234_r7.b.broken.h5"),
        "{log}"
    );
}

/// Damages a fragment so that its summaries can be read and its data cannot.
fn damage_data_of(file: &Path) {
    let sound = std::fs::read(file).unwrap();
    let elsewhere = database();
    std::fs::create_dir(elsewhere.path().join("extracted_data")).unwrap();
    // Where the description of an object begins; without its first letters the library takes it for nothing.
    let places = sound.windows(4).enumerate();
    let places = places.filter(|(_, letters)| letters == b"OHDR");
    for (at, _) in places {
        let mut damaged = sound.clone();
        damaged[at..at + 4].fill(0);
        std::fs::write(file, damaged).unwrap();
        let fragment = Fragment::of(file).unwrap();
        let has_rows = fragment::summaries(file).is_ok_and(|found| found.rows.len() == 1);
        let merged = run_file::examine(elsewhere.path(), &fragment);
        if has_rows && merged.is_err_and(|why| !why.is_of_the_system()) {
            return;
        }
    }
    panic!("no damage hurts the data alone");
}

#[test]
fn whose_data_cannot_be_read_has_an_error_in_the_cells_it_names_and_its_job_has_failed() {
    let folder = database();
    let job = planned(folder.path(), 7);
    let ledger = Ledger::open(folder.path()).unwrap();
    let id = &job.processing_id;
    ledger.set_state(id, State::Finished, None).unwrap();
    fragment(folder.path(), 7, "old", "energy", 0.5);
    let broken = fragment(folder.path(), 7, id, "energy", 1.5);
    fragment(folder.path(), 7, "other", "position", 2.5);
    damage_data_of(&broken);
    let combined = combine_folder(folder.path(), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(combined.broken.len(), 1);
    assert!(!broken.exists() && combined.broken[0].0.is_file());
    assert_eq!(value(folder.path(), 7, "energy"), None);
    assert_eq!(value(folder.path(), 7, "position"), Some(2.5));
    let table = rusqlite::Connection::open(folder.path().join("runs.sqlite")).unwrap();
    let sql = "SELECT attributes FROM run_variables WHERE name = 'energy'";
    let cell: String = table.query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(cell.contains("UnreadableResults"), "{cell}");
    let entry = ledger.job(id).unwrap().unwrap();
    assert_eq!(entry.state, State::Failed);
    assert!(entry.message.unwrap().contains(".broken.h5"));
    assert!(ready_fragments(folder.path(), None).unwrap().is_empty());
}

#[test]
fn a_run_whose_file_cannot_be_read_waits_and_the_others_are_merged() {
    let folder = database();
    let waits = fragment(folder.path(), 7, "a", "energy", 1.5);
    fragment(folder.path(), 8, "b", "energy", 2.5);
    let file = folder.path().join("extracted_data/p1234_r7.h5");
    std::fs::write(&file, "no HDF5").unwrap();
    let combined = combine_folder(folder.path(), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(combined.runs, [run(8)]);
    assert_eq!(combined.waiting[0].0, run(7));
    assert!(waits.exists());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "no HDF5");
}

/// A moment some time ago.
fn hours_ago(hours: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600 * hours)
}

fn written(file: &Path, when: SystemTime) {
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.set_modified(when).unwrap();
}

/// A number in a run's file.
fn in_file(folder: &Path, number: u32, name: &str) -> Option<f64> {
    let place = folder.join(format!("extracted_data/p1234_r{number}.h5"));
    // As a fragment, the file tells the same of its variables.
    let found = runledger_storage::fragment::summaries(&place).unwrap();
    let row = found.rows.into_iter().find(|(known, _)| known == name)?.1;
    match row.value {
        CellValue::Real(number) => Some(number),
        _ => None,
    }
}

#[test]
fn a_fragment_that_turns_up_late_replaces_nothing_that_is_newer() {
    let folder = database();
    let newer = fragment(folder.path(), 7, "a", "energy", 2.0);
    written(&newer, hours_ago(1));
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    let mut late = half(folder.path(), 7, "b", "energy", 1.0);
    save(&mut late, "only_here", 5.0);
    written(&late.finish().unwrap(), hours_ago(2));
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(2.0));
    assert_eq!(in_file(folder.path(), 7, "energy"), Some(2.0));
    assert_eq!(value(folder.path(), 7, "only_here"), Some(5.0));
    assert_eq!(in_file(folder.path(), 7, "only_here"), Some(5.0));
    let newest = fragment(folder.path(), 7, "c", "energy", 3.0);
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(3.0));
    assert!(!newest.exists());
}

#[test]
fn a_second_combiner_that_is_in_a_hurry_is_told_of_the_first() {
    let folder = database();
    let waits = fragment(folder.path(), 7, "a", "energy", 1.5);
    let mut first = std::fs::File::create(folder.path().join(".combiner.lock")).unwrap();
    writeln!(first, "process 4711 of somebody@another-host").unwrap();
    let whole = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as nix::libc::c_short,
        l_whence: nix::libc::SEEK_SET as nix::libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&first, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole)).unwrap();
    let refused = combine_folder(folder.path(), Duration::ZERO, &mut publisher(None)).unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("process 4711 of somebody@another-host"),
        "{said}"
    );
    assert!(waits.exists());
    // It ends, in whatever way.
    drop(first);
    combine_folder(folder.path(), Duration::ZERO, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
}

#[test]
fn a_reader_that_has_the_runs_file_open_keeps_nothing_from_being_merged() {
    let folder = database();
    fragment(folder.path(), 7, "a", "energy", 1.5);
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    let file = std::fs::File::open(folder.path().join("extracted_data/p1234_r7.h5")).unwrap();
    // As HDF5 does for a reader.
    let lock = nix::fcntl::FlockArg::LockSharedNonblock;
    let _reader = nix::fcntl::Flock::lock(file, lock).unwrap();
    fragment(folder.path(), 7, "b", "energy", 2.5);
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(2.5));
    assert_eq!(in_file(folder.path(), 7, "energy"), Some(2.5));
}

#[test]
fn a_fragment_that_became_the_runs_file_and_was_not_removed_is_merged_like_any_other() {
    let folder = database();
    let file = fragment(folder.path(), 7, "a", "energy", 1.5);
    // DAMNIT's combiner begins so, and may be killed here.
    let place = folder.path().join("extracted_data/p1234_r7.h5");
    std::fs::hard_link(&file, &place).unwrap();
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    fragment(folder.path(), 7, "b", "charge", 2.5);
    merge_run(folder.path(), run(7), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(in_file(folder.path(), 7, "energy"), Some(1.5));
    assert_eq!(in_file(folder.path(), 7, "charge"), Some(2.5));
    assert!(!file.exists());
}

#[test]
fn what_is_being_written_is_left_alone_however_long_it_takes() {
    let folder = database();
    let writer = half(folder.path(), 7, "a", "energy", 1.5);
    written(writer.path(), hours_ago(9));
    let combined = combine_folder(folder.path(), ATTENDED, &mut publisher(None)).unwrap();
    assert!(combined.runs.is_empty() && writer.path().is_file());
    writer.finish().unwrap();
    combine_folder(folder.path(), ATTENDED, &mut publisher(None)).unwrap();
    assert_eq!(value(folder.path(), 7, "energy"), Some(1.5));
}
