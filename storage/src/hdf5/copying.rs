//! Composing a new file from objects of others.
//!
//! The library's own copy breaks dimension scales, whose references mean places in the old file
//! (<https://github.com/HDFGroup/hdf5/issues/6200>): groups that have some are copied piece by piece and joined again.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_metno::plist::ObjectCopy;
use hdf5_metno::{Dataset, File, Group, Location, LocationType};
use hdf5_metno_sys::h5l::{H5L_info2_t, H5Lcopy, H5Lget_info2};
use hdf5_metno_sys::h5o::H5Olink;
use hdf5_metno_sys::h5p::H5P_DEFAULT;

use runledger_context::value::Netcdf;

use super::copied_attributes::{copy_attributes, scales};
use super::handle::{c_string, call};
use super::links::{Link, is_hard, links};
use super::netcdf::{Uses, attach, reference};
use super::scalars::single;
use super::scaled::{has_scales, is_in_the_file};
use super::{Outcome, words};

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
        self.take_object(from, &group.clone(), path, name, &mut Taken::new())
    }

    fn take_object(
        &mut self,
        from: &Group,
        to: &Group,
        path: &str,
        name: &str,
        taken: &mut Taken,
    ) -> Outcome {
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
        let place = reference(from, path)?;
        if let Some(there) = taken.get(&place) {
            return link(there, to, name);
        }
        let made = to.create_group(name).map_err(words)?;
        taken.insert(place, made.clone());
        self.take_scaled(&group, &made, taken)
    }

    /// A NetCDF group: its datasets, then what joins them.
    fn take_scaled(&mut self, from: &Group, to: &Group, taken: &mut Taken) -> Outcome {
        let links = links(from)?;
        let datasets = datasets(from, &links)?;
        let shift = self.number_dimensions(&datasets)?;
        copy_attributes(from, to, 0)?;
        let bare = ObjectCopy::build()
            .copy_without_attr(true)
            .finish()
            .map_err(words)?;
        let mut uses = Uses::new();
        for Link { name, .. } in &links {
            let Some(dataset) = datasets.get(name) else {
                self.take_object(from, to, name, name, taken)?;
                continue;
            };
            copy(from, to, name, name, &bare)?;
            copy_attributes(dataset, &*to.dataset(name).map_err(words)?, shift)?;
            for (place, scale) in scales(dataset)? {
                uses.entry(scale).or_default().push((name.clone(), place));
            }
        }
        attach(to, &uses)
    }

    /// By how much the numbers of a group's dimensions change in this file.
    fn number_dimensions(&mut self, datasets: &BTreeMap<String, Dataset>) -> Outcome<i32> {
        let number = |dataset: &Dataset| {
            let number = dataset.attr("_Netcdf4Dimid").ok()?;
            single::<i32>(&number).ok()
        };
        let numbers: Vec<i32> = datasets.values().filter_map(number).collect();
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

/// The groups of an object that were taken piece by piece, by where they are in the other file. One that can be reached in
/// several ways, or from within itself, is taken once.
type Taken = BTreeMap<u64, Group>;

/// The datasets that are in a group itself, by name.
fn datasets(group: &Group, links: &[Link]) -> Outcome<BTreeMap<String, Dataset>> {
    let mut found = BTreeMap::new();
    for Link { name, .. } in links.iter().filter(|link| link.object.is_some()) {
        if group.loc_type_by_name(name).map_err(words)? == LocationType::Dataset {
            let dataset = group.dataset(name).map_err(words)?;
            if !is_in_the_file(&dataset)? {
                return Err(format!("the data of {name} are in another file"));
            }
            found.insert(name.clone(), dataset);
        }
    }
    Ok(found)
}

/// One more name for a new group.
fn link(group: &Group, to: &Group, name: &str) -> Outcome {
    let (name, how) = (c_string(name)?, H5P_DEFAULT);
    call!(
        "a link",
        H5Olink(group.id(), to.id(), name.as_ptr(), how, how)
    )
    .map(drop)
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

pub(crate) fn is_hard_link(group: &Group, path: &str) -> Outcome<bool> {
    let name = c_string(path)?;
    let mut info = std::mem::MaybeUninit::<H5L_info2_t>::uninit();
    call!(
        "a link",
        H5Lget_info2(group.id(), name.as_ptr(), info.as_mut_ptr(), H5P_DEFAULT)
    )?;
    // SAFETY: the call above succeeded, so it filled the structure.
    Ok(unsafe { is_hard(info.as_ptr()) })
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
