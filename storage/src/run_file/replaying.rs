//! Everything that a merge does to a run's file, done again up to every point: whoever opens it there sees the old
//! content or the new one. A kill, or a reader, may come after any write; a power cut may lose any of those that
//! were not yet told to last.

use std::fs;
use std::path::Path;

use hdf5_metno::types::{TypeDescriptor, VarLenUnicode};
use hdf5_metno::{Dataset, File, Group};
use runledger_context::run::RunId;
use runledger_context::value::{
    Array, Cell, Data, Dtype, Failure, Netcdf, NetcdfVariable, Outcome, Summary, Texts, Values,
};

use super::source::Source;
use super::{appending, merge, path};
use crate::fragment::{FragmentWriter, ready_fragments, remove};
use crate::hdf5::Effect;

const RUN: fn() -> RunId = || RunId::new(1234, 7);

fn numbers(count: u16, factor: f64) -> Array {
    let all = (0..count).map(|n| f64::from(n) * factor);
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: vec![count.into()],
        bytes: all.flat_map(f64::to_le_bytes).collect::<Vec<u8>>().into(),
    }
}

fn labelled(count: u16, factor: f64) -> Data {
    let variable = |name: &str, values| NetcdfVariable {
        name: name.into(),
        dims: vec!["x".into()],
        values,
        attributes: vec![],
        is_data: name == "y",
    };
    let texts = Texts {
        shape: vec![count.into()],
        texts: (0..count).map(|n| format!("{n} × {factor}")).collect(),
    };
    Data::Netcdf(Netcdf {
        objtype: "dataset".into(),
        dimensions: vec![("x".into(), count.into())],
        variables: vec![
            variable("x", Values::Array(numbers(count, 1.0))),
            variable("y", Values::Array(numbers(count, factor))),
            variable("label", Values::Texts(texts)),
        ],
        attributes: vec![],
    })
}

fn cell(data: Data, text: &str) -> Outcome {
    Outcome::Cell(Box::new(Cell {
        data: Some(data),
        summary: Some(Summary::Text(text.into())),
        ..Cell::default()
    }))
}

fn fragment(dir: &Path, outcomes: &[(&str, Outcome)]) {
    let mut writer = FragmentWriter::create(dir, RUN(), "t", "context.py").unwrap();
    for (name, outcome) in outcomes {
        writer.save(name, outcome).unwrap();
    }
    writer.finish().unwrap();
}

/// A run's file, and a fragment that replaces, adds, and has an error in place of a value.
fn run_and_fragment(dir: &Path) {
    let kept = cell(Data::Array(numbers(20_000, 1.0)), "kept");
    let old = [
        ("kept", kept),
        ("labelled", cell(labelled(30, 2.0), "old")),
        ("failing", cell(Data::Text("fine".into()), "fine")),
    ];
    fragment(dir, &old);
    let ready = ready_fragments(dir, None).unwrap();
    merge(dir, RUN(), &ready).unwrap();
    ready.iter().for_each(|one| remove(one).unwrap());
    let failure = Failure {
        class: "ValueError".into(),
        message: "not now".into(),
    };
    let new = [
        ("labelled", cell(labelled(50, 3.0), "new")),
        ("added", cell(Data::Text("more".into()), "added")),
        ("failing", Outcome::Failed(failure)),
    ];
    fragment(dir, &new);
}

/// All objects of a file, with their values and attributes, in words.
fn content(path: &Path) -> String {
    let file = File::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut found = String::new();
    describe(&file, "", &mut found);
    found
}

fn describe(group: &Group, path: &str, found: &mut String) {
    for name in group.member_names().unwrap() {
        let path = format!("{path}/{name}");
        match group.dataset(&name) {
            Ok(dataset) => *found += &format!("{path}: {}\n", values(&dataset)),
            Err(_) => {
                *found += &format!("{path}\n");
                describe(&group.group(&name).unwrap(), &path, found);
            }
        }
    }
}

fn values(dataset: &Dataset) -> String {
    let names = dataset.attr_names().unwrap();
    let number = dataset.attr("_Netcdf4Dimid").map(|a| a.read_raw::<i32>());
    let kind = dataset.dtype().unwrap().to_descriptor().unwrap();
    match kind {
        TypeDescriptor::VarLenUnicode => {
            let texts = dataset.read_raw::<VarLenUnicode>().unwrap();
            format!("{names:?} {number:?} {texts:?}")
        }
        _ => format!(
            "{names:?} {number:?} {:?}",
            dataset.read_raw::<f64>().unwrap()
        ),
    }
}

/// What a merge does to the file, and the file before and after it.
struct Merge {
    before: Vec<u8>,
    effects: Vec<Effect>,
    old: String,
    new: String,
}

fn merged(dir: &Path) -> Merge {
    let place = path(dir, RUN());
    run_and_fragment(dir);
    let (before, old) = (fs::read(&place).unwrap(), content(&place));
    let ready = ready_fragments(dir, None).unwrap();
    let sources = [Source::run_file(&place), Source::fragment(&ready[0].path)].map(Result::unwrap);
    let base = appending::base(&sources).unwrap().unwrap();
    let mut ready = appending::append(base, &sources).unwrap();
    ready.switch().unwrap();
    let new = content(&place);
    assert!(new.contains("/added/data") && !new.contains("/.reduced/failing"));
    Merge {
        before,
        effects: ready.closed.disk.done,
        old,
        new,
    }
}

impl Merge {
    /// What a reader finds when only these effects are done.
    fn seen<'a>(&self, dir: &Path, done: impl Iterator<Item = &'a Effect>) -> String {
        let mut bytes = self.before.clone();
        for effect in done {
            match effect {
                Effect::Written { at, bytes: written } => {
                    let at = usize::try_from(*at).unwrap();
                    bytes.resize(bytes.len().max(at + written.len()), 0);
                    bytes[at..at + written.len()].copy_from_slice(written);
                }
                Effect::Length(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
                Effect::Lasting => {}
            }
        }
        let file = dir.join("seen.h5");
        fs::write(&file, bytes).unwrap();
        content(&file)
    }
}

#[test]
fn after_every_single_write_the_old_content_is_there_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let merge = merged(dir.path());
    let mut switched = 0;
    for count in 0..=merge.effects.len() {
        let seen = merge.seen(dir.path(), merge.effects[..count].iter());
        match seen == merge.new {
            true => switched += 1,
            false => assert!(seen == merge.old && switched == 0, "{count}: {seen}"),
        }
    }
    // The last two effects: the root is written, and lasts.
    assert_eq!(switched, 2, "of {}", merge.effects.len());
}

#[test]
fn a_power_cut_that_loses_any_of_the_last_writes_leaves_the_old_content_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let merge = merged(dir.path());
    let barriers = (0..merge.effects.len()).filter(|at| merge.effects[*at] == Effect::Lasting);
    let mut from = 0;
    for barrier in barriers {
        // Each of these alone is lost, or alone is there.
        for at in from..barrier {
            let here = &merge.effects[from..barrier];
            let (one, all) = (&merge.effects[at..=at], &merge.effects[..from]);
            let others = here[..at - from].iter().chain(&here[at - from + 1..]);
            for seen in [
                merge.seen(dir.path(), all.iter().chain(one)),
                merge.seen(dir.path(), all.iter().chain(others)),
            ] {
                assert!(seen == merge.old || seen == merge.new, "{at}: {seen}");
            }
        }
        from = barrier + 1;
    }
    assert_eq!(from, merge.effects.len());
}

#[test]
fn what_is_there_is_never_changed_but_for_the_three_numbers_of_the_switch() {
    let dir = tempfile::tempdir().unwrap();
    let merge = merged(dir.path());
    let end = merge.before.len() as u64;
    let below = merge.effects.iter().filter_map(|effect| match effect {
        Effect::Written { at, bytes } if *at < end => Some((*at, bytes.len())),
        _ => None,
    });
    assert_eq!(below.collect::<Vec<_>>(), [(72, 4), (40, 8), (64, 8)]);
}
