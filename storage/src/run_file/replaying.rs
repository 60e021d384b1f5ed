//! Everything that a merge does to a run's file, done again up to every point: whoever opens it there sees the old
//! content or the new one. A kill, or a reader, may come after any write; a power cut may lose any of those that
//! were not yet told to last.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hdf5_metno::types::{TypeDescriptor, VarLenUnicode};
use hdf5_metno::{Dataset, File, Group};
use runledger_context::run::RunId;
use runledger_context::value::{
    Array, Cell, Data, Dtype, Failure, Netcdf, NetcdfVariable, Outcome, Summary, Texts, Values,
};

use super::book::Book;
use super::source::Source;
use super::{appending, merge, path};
use crate::fragment::{FragmentWriter, ready_fragments, remove};
use crate::hdf5::{Disk, Effect, Superblock};

const RUN: fn() -> RunId = || RunId::new(1234, 7);

fn numbers(count: u32, factor: f64) -> Array {
    let all = (0..count).map(|n| f64::from(n) * factor);
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: vec![count as usize],
        bytes: all.flat_map(f64::to_le_bytes).collect::<Vec<u8>>().into(),
    }
}

fn labelled(count: u32, factor: f64) -> Data {
    let variable = |name: &str, values| NetcdfVariable {
        name: name.into(),
        dims: vec!["x".into()],
        values,
        attributes: vec![],
        is_data: name == "y",
    };
    let texts = Texts {
        shape: vec![count as usize],
        texts: (0..count).map(|n| format!("{n} × {factor}")).collect(),
    };
    Data::Netcdf(Netcdf {
        objtype: "dataset".into(),
        dimensions: vec![("x".into(), count as usize)],
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

/// A run's file, and a fragment that replaces, adds, and has an error in place of a value. `more` numbers are added too.
fn run_and_fragment(dir: &Path, more: u32) {
    let kept = cell(Data::Array(numbers(600_000, 1.0)), "kept");
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
        ("more", cell(Data::Array(numbers(more, 1.0)), "more")),
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
        _ => {
            let numbers = dataset.read_raw::<f64>().unwrap();
            let mut sum = DefaultHasher::new();
            sum.write(bytemuck::cast_slice(&numbers));
            format!("{names:?} {number:?} {} {}", numbers.len(), sum.finish())
        }
    }
}

/// Numbers that fit in the room behind the content, that need more room for the next merge, and that do not fit.
const FITS: u32 = 10;
const FILLS: u32 = 200_000;
const TOO_MANY: u32 = 300_000;

/// What a merge does to the file, and the file before and after it.
struct Merge {
    before: Vec<u8>,
    /// Where the content ended.
    note: u64,
    effects: Vec<Effect>,
    old: String,
    new: String,
}

fn merged(dir: &Path, more: u32) -> Merge {
    let place = path(dir, RUN());
    run_and_fragment(dir, more);
    let (before, old) = (fs::read(&place).unwrap(), content(&place));
    let ready = ready_fragments(dir, None).unwrap();
    let sources = [Source::run_file(&place), Source::fragment(&ready[0].path)].map(Result::unwrap);
    let base = appending::base(&sources).unwrap().unwrap();
    let note = u64::from_le_bytes(before[80..88].try_into().unwrap());
    let mut ready = appending::append(base, &sources).unwrap();
    ready.switch().unwrap();
    let new = content(&place);
    assert!(new.contains("/added/data") && !new.contains("/.reduced/failing"));
    Merge {
        before,
        note,
        effects: ready.place.disk.done,
        old,
        new,
    }
}

/// A copy of the file as it was, to which the same is done.
struct Copy {
    place: PathBuf,
    file: fs::File,
}

impl Copy {
    fn of(merge: &Merge, dir: &Path) -> Self {
        let place = dir.join("copy.h5");
        fs::write(&place, &merge.before).unwrap();
        let file = fs::File::options().write(true).open(&place).unwrap();
        Self { place, file }
    }

    fn do_all<'a>(&self, effects: impl IntoIterator<Item = &'a Effect>) {
        for effect in effects {
            match effect {
                Effect::Written { at, bytes } => self.file.write_all_at(bytes, *at).unwrap(),
                Effect::Length(length) => self.file.set_len(*length).unwrap(),
                Effect::Lasting => {}
            }
        }
    }

    fn book(&self) -> Book {
        let disk = Disk::open(&self.place).unwrap();
        let superblock = Superblock::of(&disk).unwrap().unwrap();
        Book::of(&disk, &superblock).unwrap().unwrap().0
    }
}

#[test]
fn after_every_single_write_the_old_content_is_there_or_the_new_and_its_book() {
    for more in [FITS, FILLS, TOO_MANY] {
        let dir = tempfile::tempdir().unwrap();
        let merge = merged(dir.path(), more);
        let copy = Copy::of(&merge, dir.path());
        let mut was_new = false;
        for effect in &merge.effects {
            copy.do_all([effect]);
            let seen = content(&copy.place);
            let is_new = seen == merge.new;
            assert!(is_new || !was_new && seen == merge.old, "{seen}");
            assert_eq!(copy.book().sizes.contains_key("added"), is_new);
            was_new = is_new;
        }
        assert!(was_new);
    }
}

#[test]
fn a_power_cut_that_loses_any_of_the_last_writes_leaves_the_old_content_or_the_new() {
    for more in [FITS, TOO_MANY] {
        let dir = tempfile::tempdir().unwrap();
        let merge = merged(dir.path(), more);
        let mut lasting = 0;
        for epoch in merge.effects.split_inclusive(|e| *e == Effect::Lasting) {
            let before = &merge.effects[..lasting];
            let is_chosen = |at: &usize| match &epoch[*at] {
                // Those of the content itself are many, and alike.
                Effect::Written { at: place, .. } => *place < merge.note || at.is_multiple_of(9),
                _ => true,
            };
            for at in (0..epoch.len()).filter(is_chosen) {
                // This alone is lost, or this alone is there.
                let others = epoch[..at].iter().chain(&epoch[at + 1..]);
                for done in [
                    &mut epoch[at..=at].iter() as &mut dyn Iterator<Item = _>,
                    &mut { others },
                ] {
                    let copy = Copy::of(&merge, dir.path());
                    copy.do_all(before.iter().chain(done));
                    let seen = content(&copy.place);
                    assert!(seen == merge.old || seen == merge.new, "{at}: {seen}");
                }
            }
            lasting += epoch.len();
        }
    }
}

#[test]
fn what_is_there_is_never_changed_but_for_numbers_in_the_superblock() {
    let dir = tempfile::tempdir().unwrap();
    let merge = merged(dir.path(), FITS);
    let end = merge.note.min(merge.before.len() as u64);
    let below = merge.effects.iter().filter_map(|effect| match effect {
        Effect::Written { at, bytes } if *at < end => Some((*at, bytes.len())),
        _ => None,
    });
    // A note of where the book is, then the root.
    assert_eq!(below.collect::<Vec<_>>(), [(88, 8), (64, 8)]);
}

#[test]
fn a_reader_may_have_asked_for_the_length_and_read_the_end_before_the_merge() {
    let dir = tempfile::tempdir().unwrap();
    let merge = merged(dir.path(), FITS);
    let copy = Copy::of(&merge, dir.path());
    copy.do_all(&merge.effects);
    copy.file.write_all_at(&merge.before[..48], 0).unwrap();
    copy.file.set_len(merge.before.len() as u64).unwrap();
    assert!(content(&copy.place) == merge.new);
}

#[test]
fn a_file_that_another_program_replaces_or_changes_meanwhile_costs_no_results() {
    type Act = fn(&Path);
    let replace: Act = |place| {
        fs::copy(place, place.with_extension("new")).unwrap();
        fs::rename(place.with_extension("new"), place).unwrap();
    };
    let change: Act = |place| {
        let file = fs::File::options().write(true).open(place).unwrap();
        file.write_all_at(&[1], 72).unwrap();
    };
    for (act, words) in [(replace, "replaced"), (change, "changed")] {
        let dir = tempfile::tempdir().unwrap();
        let place = path(dir.path(), RUN());
        run_and_fragment(dir.path(), FITS);
        let waiting = ready_fragments(dir.path(), None).unwrap();
        let sources = [Source::run_file(&place), Source::fragment(&waiting[0].path)];
        let sources = sources.map(Result::unwrap);
        let base = appending::base(&sources).unwrap().unwrap();
        let mut ready = appending::append(base, &sources).unwrap();
        act(&place);
        // So the fragment stays, to be merged again.
        let why = ready.switch().unwrap_err().to_string();
        assert!(why.contains(words), "{why}");
    }
}
