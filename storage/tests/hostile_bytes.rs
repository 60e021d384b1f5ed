//! Files of results that are sound HDF5 and that nobody in his right mind would write.

use std::path::{Path, PathBuf};

use hdf5_metno::types::{EnumMember, EnumType, IntSize, TypeDescriptor, VarLenUnicode};
use hdf5_metno::{Dataset, Extents, File, Group};
use runledger_context::run::RunId;
use runledger_storage::fragment::{Fragment, FragmentWriter, summaries};
use runledger_storage::{CellValue, Row, run_file};

fn run() -> RunId {
    RunId::new(1234, 7)
}

fn fragment(dir: &Path, add: impl FnOnce(&File)) -> Fragment {
    let writer = FragmentWriter::create(dir, run(), "a", "context.py").unwrap();
    let path = writer.finish().unwrap();
    let file = File::open_rw(&path).unwrap();
    add(&file);
    file.close().unwrap();
    Fragment { path, run: run() }
}

fn row_of(fragment: &Fragment, name: &str) -> Row {
    let found = summaries(&fragment.path).unwrap();
    let row = found.rows.into_iter().find(|(row, _)| row == name);
    row.unwrap().1
}

#[track_caller]
fn error_of(fragment: &Fragment, name: &str) -> String {
    let row = row_of(fragment, name);
    assert_eq!(row.value, CellValue::Null);
    row.attributes.unwrap()["error"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn merged(dir: &Path, fragment: &Fragment) -> Result<PathBuf, String> {
    let done = run_file::merge(dir, run(), std::slice::from_ref(fragment));
    done.map(|()| run_file::path(dir, run()))
        .map_err(|why| why.to_string())
}

/// A dataset with a dimension's number, so that its group is taken piece by piece.
fn scale(group: &Group, name: &str) -> Dataset {
    let made = group.new_dataset::<f64>().shape([3]).create(name).unwrap();
    let number = made.new_attr::<i32>().create("_Netcdf4Dimid").unwrap();
    number.write_scalar(&0).unwrap();
    made
}

#[test]
fn a_summary_without_a_value_is_an_error_in_its_cell() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = fragment(folder.path(), |file| {
        let group = file.group(".reduced").unwrap();
        let make = |name, kind: &TypeDescriptor| {
            let made = group.new_dataset_builder().empty_as(kind);
            made.shape(Extents::Null).create(name).unwrap();
        };
        make("number", &TypeDescriptor::Boolean);
        make("text", &TypeDescriptor::VarLenUnicode);
        let odd = group.new_dataset::<f64>().create("odd").unwrap();
        for kind in [TypeDescriptor::VarLenUnicode, TypeDescriptor::Boolean] {
            let name = format!("without {kind}");
            let made = odd.new_attr_builder().empty_as(&kind);
            made.shape(Extents::Null).create(name.as_str()).unwrap();
        }
    });
    for name in ["number", "text"] {
        assert!(error_of(&fragment, name).contains("no value"), "{name}");
    }
    assert_eq!(row_of(&fragment, "odd").value, CellValue::Real(0.0));
}

#[test]
fn a_yes_or_no_that_is_neither_is_yes() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = fragment(folder.path(), |file| {
        let member = |(name, value): (&str, u64)| EnumMember {
            name: name.into(),
            value,
        };
        // With one more value than it has when it is read.
        let three = TypeDescriptor::Enum(EnumType {
            size: IntSize::U1,
            signed: true,
            members: [("FALSE", 0), ("TRUE", 1), ("SEVEN", 7)].map(member).into(),
        });
        let made = file.new_dataset_builder().empty_as(&three);
        made.create(".reduced/b").unwrap();
        let bool_too = file.new_dataset::<bool>().create(".reduced/c").unwrap();
        bool_too.write_scalar(&true).unwrap();
    });
    assert_eq!(row_of(&fragment, "c").value, CellValue::Integer(1));
    assert!(error_of(&fragment, "b").contains("cannot show"));
    // Its value is the only byte 1 that stands alone behind the file's metadata: every such byte is tried.
    let bytes = std::fs::read(&fragment.path).unwrap();
    let ones = (0..bytes.len()).filter(|at| bytes[*at] == 1);
    let odd = ones.filter(|at| {
        let mut changed = bytes.clone();
        changed[*at] = 7;
        std::fs::write(&fragment.path, changed).unwrap();
        let found = summaries(&fragment.path).map(|found| found.rows);
        let is_yes = |row: &Row| row.value == CellValue::Integer(1);
        let row = found.ok().and_then(|rows| {
            let mut rows = rows.into_iter();
            rows.find(|(name, _)| name == "c").map(|(_, row)| row)
        });
        row.is_none_or(|row| is_yes(&row) || row.value == CellValue::Null)
    });
    assert_eq!(odd.count(), bytes.iter().filter(|byte| **byte == 1).count());
}

#[test]
fn a_small_file_that_stands_for_terabytes_costs_the_variable_only() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = fragment(folder.path(), |file| {
        for name in ["bytes", "numbers"] {
            let place = format!(".reduced/{name}");
            let made = file.new_dataset_builder().chunk([1 << 20]).deflate(9);
            match name {
                "bytes" => made.empty::<u8>().shape([1 << 40]).create(place.as_str()),
                _ => made.empty::<f64>().shape([1 << 40]).create(place.as_str()),
            }
            .unwrap();
        }
        let made = file.new_dataset_builder().chunk([1 << 20]).deflate(9);
        made.empty::<f64>().shape([1 << 40]).create("x").unwrap();
    });
    assert!(error_of(&fragment, "bytes").contains("too large"));
    assert!(error_of(&fragment, "numbers").contains("too large"));
    let file = merged(folder.path(), &fragment).unwrap();
    assert!(file.metadata().unwrap().len() < 1 << 20);
}

#[test]
fn summaries_that_are_large_together_do_not_all_fit() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = fragment(folder.path(), |file| {
        let made = file.new_dataset_builder().chunk([1 << 20]).empty::<u8>();
        made.shape([60 << 20]).create(".reduced/x0").unwrap();
        for number in 1..5 {
            let name = format!(".reduced/x{number}");
            file.link_hard("/.reduced/x0", &name).unwrap();
        }
    });
    let rows = summaries(&fragment.path).unwrap().rows;
    let held = rows.iter().filter(|(_, row)| row.value != CellValue::Null);
    assert_eq!(held.count(), 4);
    assert!(error_of(&fragment, "x4").contains("together"));
}

#[test]
fn numbers_where_references_belong_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = fragment(folder.path(), |file| {
        let data = scale(&file.create_group("x").unwrap(), "data");
        // As long as a list, with an address that is none.
        #[derive(Clone, Copy, hdf5_metno::H5Type)]
        #[repr(C)]
        struct List {
            length: u64,
            place: u64,
        }
        let list = List {
            length: 1,
            place: 0x6666_6666_6660,
        };
        let made = data.new_attr::<List>().shape([1]).create("DIMENSION_LIST");
        made.unwrap().write(&[list]).unwrap();
    });
    let refused = merged(folder.path(), &fragment).unwrap_err();
    assert!(refused.contains("DIMENSION_LIST"), "{refused}");
}

#[test]
fn a_dimensions_number_that_is_none_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = fragment(folder.path(), |file| {
        let group = file.create_group("x").unwrap();
        scale(&group, "other");
        let made = group.new_dataset::<f64>().shape([3]).create("data");
        let number = made.unwrap().new_attr::<i32>().shape(Extents::Null);
        number.create("_Netcdf4Dimid").unwrap();
    });
    let file = File::open(merged(folder.path(), &fragment).unwrap()).unwrap();
    let number = file.dataset("x/data").unwrap().attr("_Netcdf4Dimid");
    assert_eq!(number.unwrap().size(), 0);
    assert!(
        file.dataset("x/other")
            .unwrap()
            .attr("_Netcdf4Dimid")
            .is_ok()
    );
}

#[test]
fn groups_within_groups_without_end_are_refused() {
    let scaled: [fn(&Group); 2] = [|_| {}, |group| drop(scale(group, "s"))];
    for make in scaled {
        let folder = tempfile::tempdir().unwrap();
        let fragment = fragment(folder.path(), |file| {
            let mut group = file.create_group("x").unwrap();
            for _ in 0..2000 {
                make(&group);
                group = group.create_group("in").unwrap();
            }
        });
        let refused = merged(folder.path(), &fragment).unwrap_err();
        assert!(refused.contains("groups within groups"), "{refused}");
    }
}

#[test]
fn a_way_without_end_is_refused_also_where_there_are_short_ones_to_all_that_is_on_it() {
    let scaled: [fn(&Group); 2] = [|_| {}, |group| drop(scale(group, "s"))];
    for make in scaled {
        let folder = tempfile::tempdir().unwrap();
        let fragment = fragment(folder.path(), |file| {
            let name = |number: u32| format!("x/{number:05}");
            file.create_group("x").unwrap();
            for number in 0..5_000 {
                make(&file.create_group(&name(number)).unwrap());
            }
            for number in 1..5_000 {
                let way = format!("{}/in", name(number - 1));
                file.link_hard(&name(number), &way).unwrap();
            }
        });
        let refused = merged(folder.path(), &fragment).unwrap_err();
        assert!(refused.contains("groups within groups"), "{refused}");
    }
}

#[test]
fn a_group_that_can_be_reached_in_a_billion_ways_is_taken_once() {
    for has_scale in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let fragment = fragment(folder.path(), |file| {
            let mut place = "x".to_owned();
            file.create_group(&place).unwrap();
            for _ in 0..30 {
                let next = format!("{place}/a");
                file.create_group(&next).unwrap();
                file.link_hard(&next, &format!("{place}/b")).unwrap();
                place = next;
            }
            let last = file.group(&place).unwrap();
            // And one that is in itself.
            file.link_hard("x", &format!("{place}/again")).unwrap();
            match has_scale {
                true => drop(scale(&last, "s")),
                false => drop(last.new_dataset::<f64>().create("s").unwrap()),
            }
        });
        let file = File::open(merged(folder.path(), &fragment).unwrap()).unwrap();
        let once = "x".to_owned() + &"/b".repeat(30);
        assert!(file.link_exists(&format!("{once}/s")));
        assert!(file.link_exists(&format!("{once}/again/a/b")));
    }
}

#[test]
fn a_pipe_that_a_link_leads_to_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = pipe.to_str().unwrap();
    let inner = fragment(folder.path(), |file| {
        let group = file.create_group("x").unwrap();
        scale(&group, "data");
        group.link_external(pipe, "/", "elsewhere").unwrap();
        let group = file.create_group("y").unwrap();
        group.link_external(pipe, "/", "elsewhere").unwrap();
    });
    let file = File::open(merged(folder.path(), &inner).unwrap()).unwrap();
    assert_eq!(file.group("x").unwrap().member_names().unwrap().len(), 2);
    drop(file);
    for group in [".reduced", ".errors", ".preview"] {
        let outer = fragment(folder.path(), |file| {
            file.unlink(group).unwrap();
            file.link_external(pipe, "/", group).unwrap();
        });
        let refused = merged(folder.path(), &outer).unwrap_err();
        assert!(refused.contains("is a link"), "{group}: {refused}");
    }
}

#[test]
fn a_text_that_was_never_written_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let fragment = fragment(folder.path(), |file| {
        let made = file.new_dataset::<VarLenUnicode>();
        made.create(".reduced/x").unwrap();
    });
    assert_eq!(row_of(&fragment, "x").value, CellValue::Text(String::new()));
}

#[test]
fn names_of_any_letters_and_length_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a\nb".to_owned(), "\u{7}".to_owned(), "n".repeat(60_000)];
    let fragment = fragment(folder.path(), |file| {
        for name in &names {
            file.create_group(name).unwrap();
            let group = file.group(".reduced").unwrap();
            group.new_dataset::<f64>().create(name.as_str()).unwrap();
        }
    });
    let rows = summaries(&fragment.path).unwrap().rows;
    assert_eq!(rows.len(), names.len());
    let file = File::open(merged(folder.path(), &fragment).unwrap()).unwrap();
    assert!(names.iter().all(|name| file.group(name).is_ok()));
}
