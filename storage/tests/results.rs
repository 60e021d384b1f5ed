//! Fragments and runs' files: what is saved stays, what is replaced goes, and readers never see half of it.

use std::fs;
use std::path::{Path, PathBuf};

use hdf5_metno::File;
use runledger_context::run::RunId;
use runledger_context::value::{
    Array, Cell, Data, Dtype, Failure, Netcdf, NetcdfVariable, Outcome, Summary, Values,
};
use runledger_storage::fragment::{self, Fragment, FragmentWriter, ready_fragments, salvage};
use runledger_storage::{CellValue, Error, run_file};

const RUN: fn() -> RunId = || RunId::new(1234, 7);

fn numbers(all: &[f64]) -> Array {
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: vec![all.len()],
        bytes: all
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect::<Vec<u8>>()
            .into(),
    }
}

fn scalar(number: f64) -> Array {
    Array {
        shape: vec![],
        ..numbers(&[number])
    }
}

fn cell(data: Data, number: f64) -> Outcome {
    Outcome::Cell(Box::new(Cell {
        data: Some(data),
        summary: Some(Summary::Array(scalar(number))),
        ..Cell::default()
    }))
}

fn failure(message: &str) -> Outcome {
    Outcome::Failed(Failure {
        class: "ValueError".into(),
        message: message.into(),
    })
}

/// y over x, with x as a coordinate.
fn labelled(values: &[f64]) -> Data {
    let variable = |name: &str, is_data| NetcdfVariable {
        name: name.into(),
        dims: vec!["x".into()],
        values: Values::Array(numbers(values)),
        attributes: vec![],
        is_data,
    };
    Data::Netcdf(Netcdf {
        objtype: "dataarray".into(),
        dimensions: vec![("x".into(), values.len())],
        variables: vec![variable("x", false), variable("y", true)],
        attributes: vec![],
    })
}

fn fragment(dir: &Path, token: &str, outcomes: &[(&str, Outcome)]) -> PathBuf {
    let mut writer = FragmentWriter::create(dir, RUN(), token, "context.py").unwrap();
    for (name, outcome) in outcomes {
        writer.save(name, outcome).unwrap();
    }
    writer.finish().unwrap()
}

/// Merges what is ready, and removes it.
fn merge_all(dir: &Path) {
    let ready = ready_fragments(dir, Some(RUN())).unwrap();
    run_file::merge(dir, RUN(), &ready).unwrap();
    ready.iter().for_each(|one| fragment::remove(one).unwrap());
}

fn run_h5(dir: &Path) -> File {
    File::open(run_file::path(dir, RUN())).unwrap()
}

fn data(file: &File, name: &str) -> Vec<f64> {
    file.dataset(&format!("{name}/data"))
        .unwrap()
        .read_raw()
        .unwrap()
}

#[test]
fn a_variable_that_fails_now_leaves_no_old_value_and_the_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let both = [
        ("a", cell(Data::Array(numbers(&[1.0])), 1.0)),
        ("b", cell(Data::Array(numbers(&[2.0])), 2.0)),
    ];
    fragment(dir.path(), "one", &both);
    merge_all(dir.path());
    fragment(dir.path(), "two", &[("a", failure("broken"))]);
    merge_all(dir.path());
    let file = run_h5(dir.path());
    assert!(!file.link_exists("a") && !file.link_exists(".reduced/a"));
    assert!(file.link_exists(".errors/a"));
    assert_eq!(data(&file, "b"), [2.0]);
}

#[test]
fn the_newest_of_several_fragments_wins_and_merging_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (token, value) in [("z", 1.0), ("a", 2.0)] {
        let path = fragment(
            dir.path(),
            token,
            &[("v", cell(Data::Array(numbers(&[value])), value))],
        );
        // Written one after the other, whatever their names are.
        set_time(&path, 1000 + value as u64);
    }
    let ready = ready_fragments(dir.path(), None).unwrap();
    for _ in 0..2 {
        run_file::merge(dir.path(), RUN(), &ready).unwrap();
        assert_eq!(data(&run_h5(dir.path()), "v"), [2.0]);
    }
}

fn set_time(path: &Path, seconds: u64) {
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn what_is_written_later_is_newer_whatever_the_clocks_say() {
    let dir = tempfile::tempdir().unwrap();
    let value = |number: f64| [("v", cell(Data::Array(numbers(&[number])), number))];
    // By a host whose clock is years ahead.
    let ahead = fragment(dir.path(), "z", &value(1.0));
    set_time(&ahead, 4_000_000_000);
    fragment(dir.path(), "a", &value(2.0));
    let ready = ready_fragments(dir.path(), None).unwrap();
    assert_eq!(ready[0].path, ahead);
    merge_all(dir.path());
    assert_eq!(data(&run_h5(dir.path()), "v"), [2.0]);
    // What is merged tells the next ones too.
    let next = fragment(dir.path(), "b", &value(3.0));
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert!(modified(&next) > modified(&run_file::path(dir.path(), RUN())));
}

#[test]
fn a_file_does_not_grow_when_a_variable_is_replaced_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for round in 0..6 {
        let outcome = cell(Data::Array(numbers(&vec![f64::from(round); 50_000])), 0.0);
        fragment(dir.path(), &round.to_string(), &[("v", outcome)]);
        merge_all(dir.path());
        sizes.push(
            fs::metadata(run_file::path(dir.path(), RUN()))
                .unwrap()
                .len(),
        );
    }
    assert!(
        sizes.iter().all(|size| size.abs_diff(sizes[0]) < 4096),
        "{sizes:?}"
    );
}

#[test]
fn a_reader_that_has_the_old_file_open_goes_on_with_it() {
    let dir = tempfile::tempdir().unwrap();
    fragment(
        dir.path(),
        "one",
        &[("v", cell(Data::Array(numbers(&[1.0])), 1.0))],
    );
    merge_all(dir.path());
    let old = run_h5(dir.path());
    fragment(
        dir.path(),
        "two",
        &[("v", cell(Data::Array(numbers(&[2.0])), 2.0))],
    );
    merge_all(dir.path());
    assert_eq!(data(&old, "v"), [1.0]);
    assert_eq!(data(&run_h5(dir.path()), "v"), [2.0]);
}

#[test]
fn numbers_of_dimensions_stay_unique_and_scales_mean_their_own_file() {
    let dir = tempfile::tempdir().unwrap();
    fragment(
        dir.path(),
        "one",
        &[
            ("p", cell(labelled(&[1.0, 2.0]), 0.0)),
            ("q", cell(labelled(&[3.0]), 0.0)),
        ],
    );
    merge_all(dir.path());
    fragment(
        dir.path(),
        "two",
        &[("r", cell(labelled(&[4.0, 5.0, 6.0]), 0.0))],
    );
    merge_all(dir.path());
    let file = run_h5(dir.path());
    let number = |name: &str| -> i32 {
        let scale = file.dataset(&format!("{name}/x")).unwrap();
        scale.attr("_Netcdf4Dimid").unwrap().read_scalar().unwrap()
    };
    let mut all = ["p", "q", "r"].map(number);
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2]);
    for name in ["p", "q", "r"] {
        assert!(
            file.dataset(&format!("{name}/y"))
                .unwrap()
                .attr("DIMENSION_LIST")
                .is_ok()
        );
        assert!(
            file.dataset(&format!("{name}/x"))
                .unwrap()
                .attr("REFERENCE_LIST")
                .is_ok()
        );
    }
}

#[test]
fn a_truncated_fragment_is_named_and_the_runs_file_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    fragment(
        dir.path(),
        "one",
        &[("v", cell(Data::Array(numbers(&[1.0])), 1.0))],
    );
    merge_all(dir.path());
    let before = fs::read(run_file::path(dir.path(), RUN())).unwrap();
    let broken = fragment(
        dir.path(),
        "two",
        &[("v", cell(Data::Array(numbers(&[2.0])), 2.0))],
    );
    fs::File::options()
        .write(true)
        .open(&broken)
        .unwrap()
        .set_len(700)
        .unwrap();
    let why = fragment::summaries(&broken).unwrap_err();
    assert!(why.to_string().contains("two.ready.h5"), "{why}");
    let ready = ready_fragments(dir.path(), None).unwrap();
    let why = run_file::merge(dir.path(), RUN(), &ready).unwrap_err();
    assert!(matches!(why, Error::Results { .. }), "{why}");
    assert_eq!(fs::read(run_file::path(dir.path(), RUN())).unwrap(), before);
}

#[test]
fn what_was_saved_before_the_writer_vanished_is_salvaged_with_reasons_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = FragmentWriter::create(dir.path(), RUN(), "job", "context.py").unwrap();
    writer
        .save("done", &cell(Data::Array(numbers(&[1.0, 2.0])), 1.5))
        .unwrap();
    // As a killed process leaves it: not closed.
    let left = writer.path().to_path_buf();
    let copy = fragment::writing_path(dir.path(), RUN(), "killed");
    fs::copy(&left, &copy).unwrap();
    let lost = Failure {
        class: "Lost".into(),
        message: "the job was killed".into(),
    };
    let ready = salvage(&copy, &[("rest".into(), lost)]).unwrap();
    writer.discard();
    let found = fragment::summaries(&ready).unwrap();
    let value = |name: &str| {
        found
            .rows
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, row)| row.clone())
            .unwrap()
    };
    assert_eq!(value("done").value, CellValue::Real(1.5));
    assert_eq!(
        value("rest").attributes.unwrap()["error"],
        "the job was killed"
    );
    assert_eq!(
        Fragment::of(&ready).map(|fragment| fragment.run),
        Some(RUN())
    );
}

#[test]
fn a_result_of_a_kind_that_hdf5_lacks_costs_itself_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = FragmentWriter::create(dir.path(), RUN(), "job", "context.py").unwrap();
    let odd = Array {
        dtype: Dtype::Plain("<M8[ns]".into()),
        ..numbers(&[1.0])
    };
    let why = writer
        .save("odd", &cell(Data::Array(odd), 1.0))
        .unwrap_err();
    assert!(
        why.is_not_storable() && why.to_string().contains("odd"),
        "{why}"
    );
    writer.save("odd", &failure("cannot be stored")).unwrap();
    let found = fragment::summaries(&writer.finish().unwrap()).unwrap();
    assert_eq!(
        (found.rows.len(), found.rows[0].1.value.clone()),
        (1, CellValue::Null)
    );
}

#[test]
fn only_one_merges_a_run_at_a_time_and_other_runs_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let held = run_file::lock(dir.path(), RUN()).unwrap();
    let _other = run_file::lock(dir.path(), RunId::new(1234, 8)).unwrap();
    assert!(matches!(
        run_file::lock(dir.path(), RUN()),
        Err(Error::RunFileBusy { .. })
    ));
    drop(held);
    run_file::lock(dir.path(), RUN()).unwrap();
}
