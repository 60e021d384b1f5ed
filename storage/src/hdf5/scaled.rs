//! Which groups have NetCDF dimensions. Only what is in the file itself is opened: whatever a link or a virtual dataset
//! names elsewhere may be a pipe that nobody writes to.

use std::collections::BTreeSet;

use hdf5_metno::plist::dataset_create::Layout;
use hdf5_metno::{Dataset, Group, LocationType};

use super::links::{Link, links};
use super::{Outcome, words};

/// These refer to places in the file.
pub(super) const REFERENCES: [&str; 2] = ["DIMENSION_LIST", "REFERENCE_LIST"];
/// Numbers of dimensions, which are unique in a file.
pub(super) const NUMBERS: [&str; 2] = ["_Netcdf4Dimid", "_Netcdf4Coordinates"];
/// Groups that are deeper within each other are not taken from anybody: HDF5, which goes into them by functions that call
/// themselves, would run out of its stack.
const DEEPEST: usize = 500;

/// Whether anything in a group, however deep, is or has a scale.
///
/// # Errors
/// It cannot be read, or is too deep: on the way that HDF5 takes when it copies the group, which is this one. Others may be
/// shorter.
pub(crate) fn has_scales(group: &Group) -> Outcome<bool> {
    let mut seen = BTreeSet::new();
    let mut way = vec![opened(group.clone())?];
    let mut has_some = false;
    while let Some((group, left)) = way.last_mut() {
        let Some(link) = left.next() else {
            way.pop();
            continue;
        };
        if link.object.is_none_or(|place| !seen.insert(place)) {
            continue;
        }
        let name = link.name.as_str();
        match group.loc_type_by_name(name).map_err(words)? {
            LocationType::Group => {
                let inner = opened(group.group(name).map_err(words)?)?;
                way.push(inner);
                if way.len() > DEEPEST {
                    return Err(format!(
                        "it has groups within groups, more than {DEEPEST} deep"
                    ));
                }
            }
            LocationType::Dataset => {
                has_some |= is_scaled(&group.dataset(name).map_err(words)?);
            }
            _ => {}
        }
    }
    Ok(has_some)
}

/// A group, and what there is to be seen of it.
fn opened(group: Group) -> Outcome<(Group, std::vec::IntoIter<Link>)> {
    let links = links(&group)?;
    Ok((group, links.into_iter()))
}

fn is_scaled(dataset: &Dataset) -> bool {
    let mut marks = REFERENCES.iter().chain(&NUMBERS);
    marks.any(|name| dataset.attr(name).is_ok())
}

/// Whether a dataset's data are in its own file.
pub(super) fn is_in_the_file(dataset: &Dataset) -> Outcome<bool> {
    let made = dataset.create_plist().map_err(words)?;
    let is_virtual = made.layout() == Layout::Virtual;
    Ok(!is_virtual && made.get_external().map_err(words)?.is_empty())
}
