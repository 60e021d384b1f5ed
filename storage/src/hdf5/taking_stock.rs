//! What is in a file that another program wrote: how large its objects are, about, and which numbers its dimensions have.

use std::collections::BTreeSet;

use hdf5_metno::{Dataset, Group, LocationType};

use super::copying::is_hard_link;
use super::links::links;
use super::netcdf::reference;
use super::scalars::single;
use super::scaled::is_in_the_file;
use super::{Outcome, words};

/// Of an object without its data.
const ABOUT: u64 = 512;

/// What was found so far.
#[derive(Default)]
pub(crate) struct Stock {
    /// The next free number of a NetCDF dimension.
    pub(crate) next_dimension: i32,
    seen: BTreeSet<u64>,
}

/// How many bytes the object at `path` has, about, with all that is in it and was not seen before.
pub(crate) fn take_stock(stock: &mut Stock, at: &Group, path: &str) -> Outcome<u64> {
    if !is_hard_link(at, path)? || !stock.seen.insert(reference(at, path)?) {
        return Ok(0);
    }
    let mut ahead = Vec::new();
    let mut sum = stock.take(at, path, &mut ahead)?;
    while let Some(group) = ahead.pop() {
        for link in links(&group)? {
            if link.object.is_some_and(|place| stock.seen.insert(place)) {
                let size = stock.take(&group, &link.name, &mut ahead)?;
                sum = sum.saturating_add(size);
            }
        }
    }
    Ok(sum)
}

impl Stock {
    /// One object by itself; a group is noted as one to look into.
    fn take(&mut self, at: &Group, name: &str, ahead: &mut Vec<Group>) -> Outcome<u64> {
        match at.loc_type_by_name(name).map_err(words)? {
            LocationType::Group => ahead.push(at.group(name).map_err(words)?),
            LocationType::Dataset => {
                let dataset = at.dataset(name).map_err(words)?;
                return self
                    .take_dataset(&dataset)
                    .map(|size| size.saturating_add(ABOUT));
            }
            _ => {}
        }
        Ok(ABOUT)
    }

    fn take_dataset(&mut self, dataset: &Dataset) -> Outcome<u64> {
        let number = dataset.attr("_Netcdf4Dimid").map_err(words);
        if let Ok(number) = number.and_then(|number| single::<i32>(&number)) {
            self.next_dimension = self.next_dimension.max(number.saturating_add(1));
        }
        match is_in_the_file(dataset)? {
            true => Ok(dataset.storage_size()),
            false => Ok(0),
        }
    }
}
