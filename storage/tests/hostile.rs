//! Files that somebody else made, to make us read or write where we should not.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use hdf5_metno::File;
use runledger_context::run::{Proposal, RunId, RunNumber};
use runledger_storage::fragment::{self, Fragment, FragmentWriter, ready_fragments, summaries};
use runledger_storage::{CellValue, Error, run_file};

const RUN: RunId = RunId {
    proposal: Proposal(1234),
    number: RunNumber(7),
};

fn fragment(dir: &Path, add: impl FnOnce(&File)) -> PathBuf {
    let writer = FragmentWriter::create(dir, RUN, "a", "context.py").unwrap();
    let path = writer.finish().unwrap();
    let file = File::open_rw(&path).unwrap();
    add(&file);
    file.close().unwrap();
    path
}

/// Why a variable of a fragment has no value in the table.
fn error_of(path: &Path, name: &str) -> String {
    let found = summaries(path).unwrap();
    let (_, row) = found.rows.iter().find(|(row, _)| row == name).unwrap();
    assert_eq!(row.value, CellValue::Null);
    row.attributes.as_ref().unwrap()["error"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_summary_whose_bytes_are_in_another_file_is_not_read() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = elsewhere.path().join("secret");
    std::fs::write(&secret, "not for you").unwrap();
    let path = fragment(folder.path(), |file| {
        let place = secret.to_str().unwrap();
        let made = file.new_dataset::<u8>().shape([11]).external(place, 0, 11);
        made.create(".reduced/x").unwrap();
    });
    assert!(error_of(&path, "x").contains("another file"));
}

#[test]
fn a_summary_or_an_error_that_is_a_link_to_another_file_is_not_read() {
    for group in [".reduced", ".errors"] {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other.h5");
        let secret = File::create(&other).unwrap();
        secret.new_dataset::<u8>().create("x").unwrap();
        secret.close().unwrap();
        let place = other.to_str().unwrap();
        let one = fragment(folder.path(), |file| {
            let group = file.group(group).unwrap();
            group.link_external(place, "/x", "x").unwrap();
        });
        assert!(error_of(&one, "x").contains("is a link"), "{group}");
        let all = fragment(folder.path(), |file| {
            file.unlink(group).unwrap();
            file.link_external(place, "/", group).unwrap();
        });
        let refused = summaries(&all).unwrap_err().to_string();
        assert!(refused.contains("is a link"), "{group}: {refused}");
    }
}

#[test]
fn links_in_the_folder_of_results_are_not_followed() {
    for name in [".p1234_r7.composing", ".merging"] {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fragment(folder.path(), |_| {});
        let precious = elsewhere.path().join("precious");
        std::fs::write(&precious, "as it was").unwrap();
        std::fs::set_permissions(&precious, PermissionsExt::from_mode(0o600)).unwrap();
        symlink(&precious, folder.path().join("extracted_data").join(name)).unwrap();
        let merge = || -> runledger_storage::Result<()> {
            let _one_writer = run_file::lock(folder.path(), RUN)?;
            let fragments = ready_fragments(folder.path(), Some(RUN))?;
            run_file::merge(folder.path(), RUN, &fragments)
        };
        assert_eq!(merge().is_ok(), name != ".merging");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "as it was");
        let mode = std::fs::metadata(&precious).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_runs_file_that_is_another_files_name_is_left_alone_or_replaced_and_the_other_stays() {
    for (is_symbolic, mode) in [(true, 0o666), (false, 0o666), (false, 0o660)] {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let precious = elsewhere.path().join("precious.h5");
        let file = File::create(&precious).unwrap();
        let numbers = vec![1.0; 600_000];
        let made = file.new_dataset_builder().with_data(&numbers);
        drop(made.create("big/data").unwrap());
        drop(made);
        file.close().unwrap();
        let before = std::fs::read(&precious).unwrap();
        std::fs::set_permissions(&precious, PermissionsExt::from_mode(mode)).unwrap();
        fragment(folder.path(), |file| {
            file.new_dataset::<u8>().create(".reduced/x").unwrap();
        });
        let place = run_file::path(folder.path(), RUN);
        match is_symbolic {
            true => symlink(&precious, &place).unwrap(),
            false => std::fs::hard_link(&precious, &place).unwrap(),
        }
        let fragments = ready_fragments(folder.path(), Some(RUN)).unwrap();
        let merged = run_file::merge(folder.path(), RUN, &fragments);
        assert_eq!(std::fs::read(&precious).unwrap(), before);
        // What everybody can read is no secret, and hard links are how some make their backups.
        if !is_symbolic && mode == 0o666 {
            merged.unwrap();
            assert!(place.symlink_metadata().unwrap().is_file());
            assert!(File::open(&place).unwrap().link_exists(".reduced/x"));
            continue;
        }
        let why = merged.unwrap_err();
        assert!(
            matches!(&why, Error::Results { path, .. } if *path == place),
            "{why}"
        );
        assert!(fragments[0].path.exists());
    }
}

/// Swaps what is at `place` for a link to `target`, and back, until it is told to stop.
fn swap(place: &Path, target: &Path, stop: &AtomicBool) {
    let (aside, link) = (place.with_extension("aside"), place.with_extension("link"));
    while !stop.load(Ordering::Relaxed) {
        let _ = symlink(target, &link);
        if std::fs::rename(place, &aside).is_ok() {
            let _ = std::fs::rename(&link, place);
            let _ = std::fs::remove_file(place);
            let _ = std::fs::rename(&aside, place);
        }
    }
}

/// All files of a folder with their bytes, modes and times.
fn inventory(folder: &Path) -> Vec<(PathBuf, Vec<u8>, u32, SystemTime)> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let about = path.metadata().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes, about.mode(), about.modified().unwrap())
        })
        .collect();
    all.sort();
    all
}

/// Another database's results, which are not for everybody and would be merged here if a link were followed.
fn somebody_elses() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = fragment(folder.path(), |file| {
        file.new_dataset::<u8>().create(".reduced/secret").unwrap();
    });
    let results = path.parent().unwrap();
    std::fs::copy(&path, results.join("p1234_r7.b.ready.h5")).unwrap();
    std::fs::copy(&path, results.join("p1234_r7.h5")).unwrap();
    for entry in std::fs::read_dir(results).unwrap() {
        let path = entry.unwrap().path();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    folder
}

/// Merges as the combiner does, again and again, while somebody swaps files for links.
fn merge_during(folder: &Path, secrets: &mut bool) {
    for name in ["a", "b", "c"] {
        let Ok(mut writer) = FragmentWriter::create(folder, RUN, name, "context.py") else {
            continue;
        };
        let _ = writer.save_start_time(1.0);
        let _ = writer.finish();
    }
    let Ok(_one_writer) = run_file::lock(folder, RUN) else {
        return;
    };
    let fragments = ready_fragments(folder, Some(RUN)).unwrap_or_default();
    for one in &fragments {
        let found = summaries(&one.path).unwrap_or_default();
        *secrets |= found.rows.iter().any(|(name, _)| name == "secret");
        let _ = fragment::trim(one, &["start_time"]);
    }
    let merged = run_file::merge(folder, RUN, &fragments);
    for one in &fragments {
        let _ = match merged {
            Ok(()) => fragment::remove(one),
            Err(_) => fragment::set_aside(one, "it is swapped", |_| {}).map(drop),
        };
    }
}

#[test]
fn however_files_and_folders_are_swapped_for_links_meanwhile_nothing_outside_is_read_or_changed() {
    let theirs = somebody_elses();
    let outside = theirs.path().join("extracted_data");
    let before = inventory(&outside);
    for name in ["p1234_r7.a.ready.h5", "p1234_r7.h5", "."] {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("extracted_data");
        std::fs::create_dir(&results).unwrap();
        let (place, target) = match name {
            "." => (results.clone(), outside.clone()),
            name => (results.join(name), outside.join(name)),
        };
        let (stop, mut secrets) = (AtomicBool::new(false), false);
        std::thread::scope(|scope| {
            scope.spawn(|| swap(&place, &target, &stop));
            (0..60).for_each(|_| merge_during(folder.path(), &mut secrets));
            stop.store(true, Ordering::Relaxed);
        });
        assert!(!secrets, "{name}: read");
        assert_eq!(inventory(&outside), before, "{name}");
        let merged = File::open(results.join("p1234_r7.h5"));
        assert!(
            !merged.is_ok_and(|file| file.link_exists(".reduced/secret")),
            "{name}: merged"
        );
    }
}

#[test]
fn a_link_that_was_planted_for_a_reason_or_a_draft_is_not_followed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let precious = elsewhere.path().join("precious");
    std::fs::write(&precious, "as it was").unwrap();
    let path = fragment(folder.path(), |_| {});
    let stem = path.to_str().unwrap().strip_suffix(".ready.h5").unwrap();
    for name in [
        format!("{stem}.broken.txt"),
        format!("{stem}.ready.trimming"),
    ] {
        symlink(&precious, name).unwrap();
    }
    let found = Fragment::of(&path).unwrap();
    fragment::trim(&found, &[]).unwrap();
    fragment::set_aside(&found, "no reason", |_| {}).unwrap();
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "as it was");
    let reason = std::fs::read_to_string(format!("{stem}.broken.txt")).unwrap();
    assert_eq!(reason, "no reason\n");
}

#[test]
fn a_fragment_that_is_another_name_of_a_private_file_is_not_read_nor_changed() {
    let (theirs, folder) = (somebody_elses(), tempfile::tempdir().unwrap());
    let (results, outside) = (
        folder.path().join("extracted_data"),
        theirs.path().join("extracted_data"),
    );
    std::fs::create_dir(&results).unwrap();
    let before = inventory(&outside);
    let secret = outside.join("p1234_r7.a.ready.h5");
    for name in ["p1234_r7.x.ready.h5", "p1234_r7.x.writing.h5"] {
        std::fs::hard_link(&secret, results.join(name)).unwrap();
    }
    assert!(summaries(&results.join("p1234_r7.x.ready.h5")).is_err());
    assert!(fragment::salvage(&results.join("p1234_r7.x.writing.h5"), &[]).is_err());
    assert_eq!(inventory(&outside), before);
}

#[test]
fn a_folder_of_results_that_is_a_link_is_not_followed_and_said_so() {
    let (theirs, folder) = (somebody_elses(), tempfile::tempdir().unwrap());
    let outside = theirs.path().join("extracted_data");
    symlink(&outside, folder.path().join("extracted_data")).unwrap();
    let before = inventory(&outside);
    let why = ready_fragments(folder.path(), None).unwrap_err();
    let said = format!("{why} {:?}", std::error::Error::source(&why));
    assert!(
        said.contains("symbolic link") || why.to_string().contains("symbolic link"),
        "{said}"
    );
    assert!(FragmentWriter::create(folder.path(), RUN, "x", "context.py").is_err());
    assert!(run_file::lock(folder.path(), RUN).is_err());
    assert_eq!(inventory(&outside), before);
}
