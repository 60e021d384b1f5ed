//! Fragments become rows and news, whatever stands in the way.

mod support;

use std::time::Duration;

use runledger_listener::combiner::{ATTENDED, combine_folder, merge_run};
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
