//! What is in a file that another program wrote: how large its objects are, about, and which numbers its dimensions have.

use std::collections::BTreeSet;

use hdf5_metno::{Dataset, Group, LocationType};

use super::copying::is_hard_link;
use super::netcdf::reference;
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
    match at.loc_type_by_name(path).map_err(words)? {
        LocationType::Dataset => of_dataset(stock, &at.dataset(path).map_err(words)?),
        LocationType::Group => of_group(stock, &at.group(path).map_err(words)?),
        _ => Ok(ABOUT),
    }
}

fn of_group(stock: &mut Stock, group: &Group) -> Outcome<u64> {
    let names = group.member_names().map_err(words)?;
    let sizes = names.iter().map(|name| take_stock(stock, group, name));
    sizes.sum::<Outcome<u64>>().map(|inner| inner + ABOUT)
}

fn of_dataset(stock: &mut Stock, dataset: &Dataset) -> Outcome<u64> {
    let number = dataset.attr("_Netcdf4Dimid");
    if let Ok(number) = number.and_then(|number| number.read_scalar::<i32>()) {
        stock.next_dimension = stock.next_dimension.max(number.saturating_add(1));
    }
    Ok(dataset.storage_size() + ABOUT)
}
