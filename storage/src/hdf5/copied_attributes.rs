//! Attributes as they are in another file, but for those that mean something only there.

use hdf5_metno::globals::H5T_STD_REF_OBJ;
use hdf5_metno::{Dataset, Location};
use hdf5_metno_sys::h5a::{H5Aget_space, H5Aget_storage_size, H5Aget_type, H5Aopen, H5Aread};
use hdf5_metno_sys::h5i::{H5Iget_name, hid_t};
use hdf5_metno_sys::h5p::H5P_DEFAULT;
use hdf5_metno_sys::h5r::{H5R_type_t, H5Rdereference};
use hdf5_metno_sys::h5s::H5Sget_simple_extent_npoints;
use hdf5_metno_sys::h5t::{H5T_class_t, H5Tequal, H5Tget_super, H5Treclaim, hvl_t};

use super::attribute_names::attribute_names;
use super::attributes::write;
use super::handle::{Handle, c_string, call};
use super::scalars::{class, size};
use super::scaled::{NUMBERS, REFERENCES};
use super::{Outcome, words};

/// An attribute with more bytes than this is no description of anything.
const LARGEST: usize = 256 << 20;

/// Takes all attributes of an object; the numbers of dimensions move by `shift`, and what refers to places in the file
/// stays behind.
pub(super) fn copy_attributes(from: &Location, to: &Location, shift: i32) -> Outcome {
    for name in attribute_names(from)? {
        if NUMBERS.contains(&name.as_str()) {
            copy_numbers(from, to, &name, shift)?;
        } else if !REFERENCES.contains(&name.as_str()) {
            copy_attribute(from.id(), to.id(), &name)?;
        }
    }
    Ok(())
}

fn copy_numbers(from: &Location, to: &Location, name: &str, shift: i32) -> Outcome {
    let old = from.attr(name).map_err(words)?;
    let new: Vec<i32> = old
        .read_raw::<i32>()
        .map_err(words)?
        .into_iter()
        // Those of another object's dimensions, if anybody wrote such, mean nothing anyway.
        .map(|number| number.wrapping_add(shift))
        .collect();
    let made = to.new_attr::<i32>();
    match (old.is_scalar(), new.as_slice()) {
        (true, [number]) => made
            .create(name)
            .and_then(|attribute| attribute.write_scalar(number)),
        // One that has no value gets no length.
        _ => made
            .shape([new.len()])
            .create(name)
            .and_then(|attribute| attribute.write_raw(&new)),
    }
    .map_err(words)
}

/// Of any type and shape, as it is.
fn copy_attribute(from: hid_t, to: hid_t, name: &str) -> Outcome {
    let c_name = c_string(name)?;
    let old = Handle::of(call!(
        "an attribute",
        H5Aopen(from, c_name.as_ptr(), H5P_DEFAULT)
    ))?;
    let kind = Handle::of(call!("an attribute's type", H5Aget_type(old.id())))?;
    let space = Handle::of(call!("an attribute's shape", H5Aget_space(old.id())))?;
    with_values(&old, &kind, &space, |values| {
        write(to, name, &kind, &space, values.as_ptr().cast())
    })
}

/// Reads an attribute's elements as they are, and gives back what the library allocated for them.
fn with_values<T>(
    attribute: &Handle,
    kind: &Handle,
    space: &Handle,
    then: impl FnOnce(&[u64]) -> Outcome<T>,
) -> Outcome<T> {
    let count = call!(
        "an attribute's shape",
        H5Sget_simple_extent_npoints(space.id())
    )?;
    let bytes = usize::try_from(count).ok();
    let bytes = bytes
        .and_then(|count| count.checked_mul(size(kind.id())))
        .filter(|bytes| *bytes <= LARGEST)
        .ok_or("an attribute is too large")?;
    // In words, so that pointers in it are aligned.
    let mut values = vec![0_u64; bytes.div_ceil(8).max(1)];
    call!(
        "reading an attribute",
        H5Aread(attribute.id(), kind.id(), values.as_mut_ptr().cast())
    )?;
    let done = then(&values);
    call!(
        "giving back",
        H5Treclaim(
            kind.id(),
            space.id(),
            H5P_DEFAULT,
            values.as_mut_ptr().cast()
        )
    )?;
    done
}

/// The names of a dataset's scales, by dimension. They are in the dataset's own group.
pub(super) fn scales(dataset: &Dataset) -> Outcome<Vec<(u32, String)>> {
    let list = c"DIMENSION_LIST";
    if dataset.attr("DIMENSION_LIST").is_err() {
        return Ok(Vec::new());
    }
    let attribute = Handle::of(call!(
        "an attribute",
        H5Aopen(dataset.id(), list.as_ptr(), H5P_DEFAULT)
    ))?;
    let kind = Handle::of(call!("an attribute's type", H5Aget_type(attribute.id())))?;
    let space = Handle::of(call!("an attribute's shape", H5Aget_space(attribute.id())))?;
    // A list of another make is not ours to interpret.
    // SAFETY: the handle is a live attribute's.
    let stored = hdf5_metno::sync::sync(|| unsafe { H5Aget_storage_size(attribute.id()) });
    let length = dataset.attr("DIMENSION_LIST").map_err(words)?.size();
    if stored == 0 || length != dataset.ndim() || !is_of_lists_of_references(&kind)? {
        return Err("a dataset's DIMENSION_LIST does not fit its dimensions".into());
    }
    with_values(&attribute, &kind, &space, |values| {
        let lists = values.as_ptr().cast::<hvl_t>();
        let mut found = Vec::new();
        for (place, number) in (0..dataset.ndim()).zip(0..) {
            // SAFETY: the attribute has one list for each dimension, checked above; each has `len` references.
            let (length, first) = unsafe { ((*lists.add(place)).len, (*lists.add(place)).p) };
            if length > 0 {
                found.push((number, name_of(dataset.id(), first)?));
            }
        }
        Ok(found)
    })
}

/// What is read as lists of references must be that: it has addresses in memory.
fn is_of_lists_of_references(kind: &Handle) -> Outcome<bool> {
    if class(kind.id()) != H5T_class_t::H5T_VLEN {
        return Ok(false);
    }
    let of = Handle::of(call!("a list's type", H5Tget_super(kind.id())))?;
    let is_reference = call!("a list's type", H5Tequal(of.id(), *H5T_STD_REF_OBJ))?;
    Ok(is_reference > 0)
}

/// The last part of the name of what a reference means.
fn name_of(near: hid_t, reference: *const std::ffi::c_void) -> Outcome<String> {
    let kind = H5R_type_t::H5R_OBJECT1;
    let object = Handle::of(call!(
        "a reference",
        H5Rdereference(near, H5P_DEFAULT, kind, reference)
    ))?;
    let mut name = vec![0_u8; 1024];
    let length = call!(
        "a name",
        H5Iget_name(object.id(), name.as_mut_ptr().cast(), name.len())
    )?;
    name.truncate(usize::try_from(length).unwrap_or(0).min(1023));
    let name = String::from_utf8(name).map_err(|e| e.to_string())?;
    Ok(name.rsplit('/').next().unwrap_or_default().to_owned())
}
