//! Files that somebody else made, to make us read or write where we should not.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hdf5_metno::File;
use runledger_context::run::{Proposal, RunId, RunNumber};
use runledger_storage::fragment::{FragmentWriter, ready_fragments, summaries};
use runledger_storage::{CellValue, run_file};

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
        assert!(error_of(&all, "x").contains("is a link"), "{group}");
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
fn a_runs_file_that_is_another_files_name_is_replaced_and_the_other_stays() {
    for is_symbolic in [true, false] {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let precious = elsewhere.path().join("precious.h5");
        let file = File::create(&precious).unwrap();
        let numbers = vec![1.0; 600_000];
        let made = file.new_dataset_builder().with_data(&numbers);
        drop(made.create("big/data").unwrap());
        drop(made);
        file.close().unwrap();
        let before = std::fs::read(&precious).unwrap();
        fragment(folder.path(), |file| {
            file.new_dataset::<u8>().create(".reduced/x").unwrap();
        });
        let place = run_file::path(folder.path(), RUN);
        match is_symbolic {
            true => symlink(&precious, &place).unwrap(),
            false => std::fs::hard_link(&precious, &place).unwrap(),
        }
        let fragments = ready_fragments(folder.path(), Some(RUN)).unwrap();
        run_file::merge(folder.path(), RUN, &fragments).unwrap();
        assert_eq!(std::fs::read(&precious).unwrap(), before);
        assert!(place.symlink_metadata().unwrap().is_file());
        assert!(File::open(&place).unwrap().link_exists(".reduced/x"));
    }
}
