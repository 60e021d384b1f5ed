//! Composing a new file from objects of others.
//!
//! The library's own copy breaks dimension scales, whose references mean places in the old file
//! (<https://github.com/HDFGroup/hdf5/issues/6200>): groups that have some are copied piece by piece and joined again.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_metno::plist::ObjectCopy;
use hdf5_metno::{Dataset, File, Group, Location, LocationType};
use hdf5_metno_sys::h5a::{H5Aget_space, H5Aget_storage_size, H5Aget_type, H5Aopen, H5Aread};
use hdf5_metno_sys::h5i::{H5Iget_name, hid_t};
use hdf5_metno_sys::h5l::{H5L_info2_t, H5L_type_t, H5Lcopy, H5Lget_info2};
use hdf5_metno_sys::h5p::H5P_DEFAULT;
use hdf5_metno_sys::h5r::{H5R_type_t, H5Rdereference};
use hdf5_metno_sys::h5s::H5Sget_simple_extent_npoints;
use hdf5_metno_sys::h5t::{H5Tget_size, H5Treclaim, hvl_t};

use runledger_context::value::Netcdf;

use super::attributes::write;
use super::handle::{Handle, c_string, call};
use super::netcdf::{Uses, attach};
use super::{Outcome, words};

/// These are made anew: they refer to places in the file.
const REFERENCES: [&str; 2] = ["DIMENSION_LIST", "REFERENCE_LIST"];
/// Numbers of dimensions, which are unique in a file.
const NUMBERS: [&str; 2] = ["_Netcdf4Dimid", "_Netcdf4Coordinates"];

/// A new root group that takes objects from other files.
pub(crate) struct Composer {
    file: File,
    root: Group,
    /// The groups that objects are taken to beside the root, by name.
    groups: BTreeMap<String, Group>,
    next_dimension: i32,
}

impl Composer {
    /// A new, empty file.
    pub(crate) fn create(path: &Path) -> Outcome<Self> {
        let file = super::create(path)?;
        let root = file.as_group().map_err(words)?;
        Ok(Self::of(file, root, 0))
    }

    /// A group of a file, whose dimensions' numbers go on from `next_dimension`.
    pub(super) fn of(file: File, root: Group, next_dimension: i32) -> Self {
        Self {
            file,
            root,
            groups: BTreeMap::new(),
            next_dimension,
        }
    }

    /// Makes a group below the root.
    pub(crate) fn make_group(&mut self, name: &str) -> Outcome {
        let group = self.root.create_group(name).map_err(words)?;
        self.add_group(name, group);
        Ok(())
    }

    /// Lets a group be the one of this name.
    pub(super) fn add_group(&mut self, name: &str, group: Group) {
        self.groups.insert(name.to_owned(), group);
    }

    /// The groups below the root, by name.
    pub(super) fn groups(&self) -> &BTreeMap<String, Group> {
        &self.groups
    }

    /// The group that has what is at `path`, and its name there.
    pub(super) fn group_of<'a>(&self, path: &'a str) -> Outcome<(&Group, &'a str)> {
        let Some((above, name)) = path.rsplit_once('/') else {
            return Ok((&self.root, path));
        };
        let group = self.groups.get(above);
        group
            .map(|group| (group, name))
            .ok_or_else(|| format!("there is no group {above}"))
    }

    /// The root group.
    pub(crate) fn root(&self) -> &Group {
        &self.root
    }

    /// The next free number of a NetCDF dimension.
    pub(crate) fn next_dimension(&self) -> i32 {
        self.next_dimension
    }

    /// How many bytes the file has by now.
    pub(crate) fn size(&self) -> u64 {
        self.file.size()
    }

    /// Hands everything to the operating system, and closes the file.
    pub(crate) fn close(self) -> Outcome {
        drop((self.root, self.groups));
        self.file
            .flush()
            .and_then(|()| self.file.close())
            .map_err(words)
    }

    /// Takes the attributes of the other file's root.
    pub(crate) fn take_attributes(&self, from: &File) -> Outcome {
        copy_attributes(from, &self.root, 0)
    }

    /// Takes the attributes of an object of another file.
    pub(crate) fn take_attributes_of(&self, from: &Location, to: &Location) -> Outcome {
        copy_attributes(from, to, 0)
    }

    /// Writes an object as the new group `name`.
    pub(crate) fn write_netcdf(&mut self, name: &str, object: &Netcdf) -> Outcome {
        self.next_dimension =
            super::netcdf::write_netcdf(&self.root, name, object, self.next_dimension)?;
        Ok(())
    }

    /// Takes the object at `path`, with all that is in it, to the same path.
    pub(crate) fn take(&mut self, from: &File, path: &str) -> Outcome {
        let (group, name) = self.group_of(path)?;
        self.take_object(from, &group.clone(), path, name)
    }

    fn take_object(&mut self, from: &Group, to: &Group, path: &str, name: &str) -> Outcome {
        if !is_hard_link(from, path)? {
            return copy_link(from, to, path, name);
        }
        if from.loc_type_by_name(path).map_err(words)? != LocationType::Group {
            return copy(from, to, path, name, &ObjectCopy::try_new().map_err(words)?);
        }
        let group = from.group(path).map_err(words)?;
        if !has_scales(&group)? {
            return copy(from, to, path, name, &ObjectCopy::try_new().map_err(words)?);
        }
        let made = to.create_group(name).map_err(words)?;
        self.take_scaled(&group, &made)
    }

    /// A NetCDF group: its datasets, then what joins them.
    fn take_scaled(&mut self, from: &Group, to: &Group) -> Outcome {
        let shift = self.number_dimensions(from)?;
        copy_attributes(from, to, 0)?;
        let bare = ObjectCopy::build()
            .copy_without_attr(true)
            .finish()
            .map_err(words)?;
        let mut uses = Uses::new();
        for name in from.member_names().map_err(words)? {
            if !is_hard_link(from, &name)?
                || from.loc_type_by_name(&name).map_err(words)? != LocationType::Dataset
            {
                self.take_object(from, to, &name, &name)?;
                continue;
            }
            copy(from, to, &name, &name, &bare)?;
            let dataset = from.dataset(&name).map_err(words)?;
            copy_attributes(&dataset, &*to.dataset(&name).map_err(words)?, shift)?;
            for (place, scale) in scales(&dataset)? {
                uses.entry(scale).or_default().push((name.clone(), place));
            }
        }
        attach(to, &uses)
    }

    /// By how much the numbers of a group's dimensions change in this file.
    fn number_dimensions(&mut self, group: &Group) -> Outcome<i32> {
        let mut numbers = Vec::new();
        for dataset in group.datasets().map_err(words)? {
            if let Ok(number) = dataset
                .attr("_Netcdf4Dimid")
                .and_then(|attribute| attribute.read_scalar::<i32>())
            {
                numbers.push(number);
            }
        }
        let (Some(least), Some(most)) = (numbers.iter().min(), numbers.iter().max()) else {
            return Ok(0);
        };
        let too_large = || "the numbers of its dimensions are too large".to_owned();
        let shift = self
            .next_dimension
            .checked_sub(*least)
            .ok_or_else(too_large)?;
        let last = most.checked_add(shift).ok_or_else(too_large)?;
        self.next_dimension = last.checked_add(1).ok_or_else(too_large)?;
        Ok(shift)
    }
}

fn copy(from: &Group, to: &Group, path: &str, name: &str, how: &ObjectCopy) -> Outcome {
    let object = from.open_object(path)?;
    object
        .copy_to_with_props(to, name, Some(how), None)
        .map_err(words)
}

/// Opening any kind of object by its path.
trait OpenObject {
    fn open_object(&self, path: &str) -> Outcome<Location>;
}

impl OpenObject for Group {
    fn open_object(&self, path: &str) -> Outcome<Location> {
        let info = self.loc_info_by_name(path).map_err(words)?;
        self.open_by_token(info.token).map_err(words)
    }
}

/// Whether anything in a group, however deep, is or has a scale.
pub(crate) fn has_scales(group: &Group) -> Outcome<bool> {
    let is_marked = |dataset: &Dataset| {
        let mut marks = REFERENCES.iter().chain(&NUMBERS);
        marks.any(|name| dataset.attr(name).is_ok())
    };
    if group.datasets().map_err(words)?.iter().any(is_marked) {
        return Ok(true);
    }
    for inner in group.groups().map_err(words)? {
        if has_scales(&inner)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn is_hard_link(group: &Group, path: &str) -> Outcome<bool> {
    let name = c_string(path)?;
    let mut info = std::mem::MaybeUninit::<H5L_info2_t>::uninit();
    call!(
        "a link",
        H5Lget_info2(group.id(), name.as_ptr(), info.as_mut_ptr(), H5P_DEFAULT)
    )?;
    // SAFETY: the call above succeeded, so it filled the structure.
    Ok(unsafe { info.assume_init() }.type_ == H5L_type_t::H5L_TYPE_HARD)
}

/// A link as it is, whether or not there is something where it points to.
pub(super) fn copy_link(from: &Group, to: &Group, path: &str, name: &str) -> Outcome {
    let (old, new) = (c_string(path)?, c_string(name)?);
    let place = H5P_DEFAULT;
    call!(
        "a link",
        H5Lcopy(from.id(), old.as_ptr(), to.id(), new.as_ptr(), place, place)
    )
    .map(drop)
}

fn copy_attributes(from: &Location, to: &Location, shift: i32) -> Outcome {
    for name in from.attr_names().map_err(words)? {
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
    match old.is_scalar() {
        true => made
            .create(name)
            .and_then(|attribute| attribute.write_scalar(&new[0])),
        false => made
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
    // SAFETY: the handle is a live type's.
    let size = hdf5_metno::sync::sync(|| unsafe { H5Tget_size(kind.id()) });
    let bytes = size * usize::try_from(count).unwrap_or(0);
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
fn scales(dataset: &Dataset) -> Outcome<Vec<(u32, String)>> {
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
    if stored == 0 || dataset.attr("DIMENSION_LIST").map_err(words)?.size() != dataset.ndim() {
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
