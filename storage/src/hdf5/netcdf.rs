//! NetCDF-4 groups as h5netcdf and xarray read them.
//!
//! Source: the NetCDF-4 format specification (Unidata, "NetCDF-4 Format", File Format Specifications) and
//! HDF5's dimension scales specification; checked against files of h5netcdf.

use std::collections::BTreeMap;

use hdf5_metno::Group;
use hdf5_metno::globals::H5T_STD_REF_OBJ;
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5r::{H5R_type_t, H5Rcreate, hobj_ref_t};
use hdf5_metno_sys::h5t::{H5T_class_t, H5Tcreate, H5Tinsert, H5Tvlen_create, hvl_t};
use runledger_context::value::{Array, Dtype, Netcdf, NetcdfVariable, Values};

use super::attributes::{line, set_netcdf, text_attribute, write};
use super::dataset::{Layout, array_dataset, create, scalar, texts_dataset};
use super::handle::{Handle, c_string, call};
use super::{OBJTYPE, Outcome, types, words};

/// Marks the scale of a dimension that has no coordinate; its length follows, right-aligned in ten places.
const NO_COORDINATE: &str = "This is a netCDF dimension but not a netCDF variable.";

/// Which datasets use which scale, along which of their dimensions.
pub(super) type Uses = BTreeMap<String, Vec<(String, u32)>>;

/// Writes an object as the new group `path` below `parent`. Its dimensions get numbers from `first` on, which
/// must be new in the file; the next free number is returned.
pub(crate) fn write_netcdf(
    parent: &Group,
    path: &str,
    object: &Netcdf,
    first: i32,
) -> Outcome<i32> {
    let group = parent.create_group(path).map_err(words)?;
    text_attribute(group.id(), OBJTYPE, &object.objtype)?;
    for (name, values) in &object.attributes {
        set_netcdf(group.id(), name, values)?;
    }
    let numbers: BTreeMap<&str, i32> = object
        .dimensions
        .iter()
        .map(|(name, _)| name.as_str())
        .zip(first..)
        .collect();
    for (name, length) in object
        .dimensions
        .iter()
        .filter(|(name, _)| !has_coordinate(object, name))
    {
        write_bare_dimension(&group, name, *length, numbers[name.as_str()])?;
    }
    for variable in &object.variables {
        write_variable(&group, &dataset_name(object, variable), variable, &numbers)?;
    }
    attach(&group, &uses(object))?;
    let used = i32::try_from(numbers.len()).map_err(|_| "too many dimensions")?;
    Ok(first + used)
}

/// A variable named like its first dimension is that dimension's scale.
fn is_scale(variable: &NetcdfVariable) -> bool {
    variable.dims.first() == Some(&variable.name)
}

/// Any other variable named like a dimension steps aside, as the NetCDF-4 library has it.
fn dataset_name(object: &Netcdf, variable: &NetcdfVariable) -> String {
    let is_dimension = object
        .dimensions
        .iter()
        .any(|(name, _)| *name == variable.name);
    match is_dimension && !is_scale(variable) {
        true => format!("_nc4_non_coord_{}", variable.name),
        false => variable.name.clone(),
    }
}

fn has_coordinate(object: &Netcdf, dimension: &str) -> bool {
    object
        .variables
        .iter()
        .any(|variable| variable.name == dimension && is_scale(variable))
}

fn write_bare_dimension(group: &Group, name: &str, length: usize, number: i32) -> Outcome {
    let (kind, size) = types::type_of(&Dtype::Plain(">f4".into()))?;
    let made = create(
        group,
        name,
        &kind,
        &[length],
        size,
        Layout::Contiguous,
        None,
    )?;
    make_scale(made.id(), &format!("{NO_COORDINATE}{length:10}"))?;
    set_number(made.id(), "_Netcdf4Dimid", number)
}

fn write_variable(
    group: &Group,
    path: &str,
    variable: &NetcdfVariable,
    numbers: &BTreeMap<&str, i32>,
) -> Outcome {
    let layout = if variable.is_data {
        Layout::Compressed
    } else {
        Layout::Contiguous
    };
    let made = match &variable.values {
        Values::Array(array) => array_dataset(group, path, array, layout, fill_value(variable))?,
        Values::Texts(texts) => texts_dataset(group, path, texts, layout)?,
    };
    if is_scale(variable) {
        make_scale(made.id(), &variable.name)?;
    }
    for (name, values) in &variable.attributes {
        set_netcdf(made.id(), name, values)?;
    }
    let number = |dimension: &String| {
        let known = numbers.get(dimension.as_str()).copied();
        known.ok_or_else(|| format!("{} has the unknown dimension {dimension}", variable.name))
    };
    let all = variable
        .dims
        .iter()
        .map(number)
        .collect::<Outcome<Vec<i32>>>()?;
    if let Some(first) = all.first() {
        set_number(made.id(), "_Netcdf4Dimid", *first)?;
        let (kind, _) = types::type_of(&Dtype::Plain("<i4".into()))?;
        write(
            made.id(),
            "_Netcdf4Coordinates",
            &kind,
            &line(all.len())?,
            all.as_ptr().cast(),
        )?;
    }
    Ok(())
}

fn fill_value(variable: &NetcdfVariable) -> Option<&Array> {
    variable
        .attributes
        .iter()
        .find_map(|(name, values)| match values {
            Values::Array(array) if name == "_FillValue" => Some(array),
            _ => None,
        })
}

fn set_number(at: hid_t, name: &str, number: i32) -> Outcome {
    let (kind, _) = types::type_of(&Dtype::Plain("<i4".into()))?;
    write(at, name, &kind, &scalar()?, (&raw const number).cast())
}

/// Fixed texts that end with NUL: h5py takes no others for the marks of a scale.
fn make_scale(dataset: hid_t, name: &str) -> Outcome {
    for (attribute, value) in [("CLASS", "DIMENSION_SCALE"), ("NAME", name)] {
        let value = c_string(value)?;
        let kind = types::terminated_text(value.as_bytes_with_nul().len())?;
        write(dataset, attribute, &kind, &scalar()?, value.as_ptr().cast())?;
    }
    Ok(())
}

fn uses(object: &Netcdf) -> Uses {
    let mut uses = Uses::new();
    for variable in object
        .variables
        .iter()
        .filter(|variable| !is_scale(variable))
    {
        for (place, dimension) in (0..).zip(&variable.dims) {
            uses.entry(dimension.clone())
                .or_default()
                .push((dataset_name(object, variable), place));
        }
    }
    uses
}

/// Joins datasets with the scales of their dimensions, from both sides. All are in `group`.
pub(super) fn attach(group: &Group, uses: &Uses) -> Outcome {
    let mut scales: BTreeMap<&str, BTreeMap<u32, &str>> = BTreeMap::new();
    for (scale, users) in uses {
        let entries = users
            .iter()
            .map(|(user, place)| Ok((reference(group, user)?, *place)));
        set_reference_list(group, scale, &entries.collect::<Outcome<Vec<_>>>()?)?;
        for (user, place) in users {
            scales.entry(user).or_default().insert(*place, scale);
        }
    }
    for (user, by_place) in scales {
        let rank = group.dataset(user).map_err(words)?.ndim();
        let of = |place| by_place.get(&place).map(|scale| reference(group, scale));
        let entries = (0..).take(rank).map(|place| of(place).transpose());
        set_dimension_list(group, user, &entries.collect::<Outcome<Vec<_>>>()?)?;
    }
    Ok(())
}

/// What means an object: its place in the file.
pub(super) fn reference(group: &Group, name: &str) -> Outcome<hobj_ref_t> {
    let mut made: hobj_ref_t = 0;
    let name = c_string(name)?;
    let object = H5R_type_t::H5R_OBJECT1;
    call!(
        "a reference",
        H5Rcreate(
            (&raw mut made).cast(),
            group.id(),
            name.as_ptr(),
            object,
            -1
        )
    )?;
    Ok(made)
}

/// As HDF5's own library lays it out.
#[repr(C)]
struct Use {
    dataset: hobj_ref_t,
    dimension: u32,
}

fn set_reference_list(group: &Group, scale: &str, users: &[(hobj_ref_t, u32)]) -> Outcome {
    let kind = Handle::of(call!(
        "a list of uses",
        H5Tcreate(H5T_class_t::H5T_COMPOUND, size_of::<Use>())
    ))?;
    let (number, _) = types::type_of(&Dtype::Plain("<u4".into()))?;
    let place = std::mem::offset_of!(Use, dimension);
    call!(
        "a list of uses",
        H5Tinsert(kind.id(), c"dataset".as_ptr(), 0, *H5T_STD_REF_OBJ)
    )?;
    call!(
        "a list of uses",
        H5Tinsert(kind.id(), c"dimension".as_ptr(), place, number.id())
    )?;
    let all: Vec<Use> = users
        .iter()
        .map(|(dataset, dimension)| Use {
            dataset: *dataset,
            dimension: *dimension,
        })
        .collect();
    let dataset = group.dataset(scale).map_err(words)?;
    write(
        dataset.id(),
        "REFERENCE_LIST",
        &kind,
        &line(all.len())?,
        all.as_ptr().cast(),
    )
}

/// `scales`: one for each dimension, if it has one.
fn set_dimension_list(group: &Group, user: &str, scales: &[Option<hobj_ref_t>]) -> Outcome {
    let kind = Handle::of(call!("a list of scales", H5Tvlen_create(*H5T_STD_REF_OBJ)))?;
    let all: Vec<hvl_t> = scales
        .iter()
        .map(|scale| hvl_t {
            len: scale.iter().len(),
            // Only read by the call below.
            p: scale
                .as_ref()
                .map_or(std::ptr::null(), std::ptr::from_ref)
                .cast_mut()
                .cast(),
        })
        .collect();
    let dataset = group.dataset(user).map_err(words)?;
    write(
        dataset.id(),
        "DIMENSION_LIST",
        &kind,
        &line(all.len())?,
        all.as_ptr().cast(),
    )
}
