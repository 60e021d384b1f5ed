//! Datasets and groups of files from elsewhere: whether what would be read is in the file.
//!
//! HDF5 follows links to other files, and reads datasets whose bytes are in any other file, as if they were its own.
//! Whoever reads such a dataset for the table would show what the file's author may not read.

use hdf5_metno::{Dataset, File, Group};

use super::copying::is_hard_link;
use super::scaled::is_in_the_file;
use super::{Outcome, words};

/// Opens the dataset `name` of a group at the top of a file, if it and its bytes are in that file.
///
/// # Errors
/// Why it is not opened.
pub(crate) fn own_dataset(file: &File, group: &str, name: &str) -> Outcome<Dataset> {
    let place = format!("{group}/{name}");
    if !is_hard_link(file, group)? || !is_hard_link(file, &place)? {
        return Err(format!("{place} is a link"));
    }
    let dataset = file.dataset(&place).map_err(words)?;
    match is_in_the_file(&dataset)? {
        true => Ok(dataset),
        false => Err(format!("the data of {place} are in another file")),
    }
}

/// Opens the group `name` at the top of a file, if it is in that file. None where there is no such name.
///
/// # Errors
/// It is a link, or cannot be opened.
pub(crate) fn own_group(file: &File, name: &str) -> Outcome<Option<Group>> {
    if !file.link_exists(name) {
        return Ok(None);
    }
    match is_hard_link(file, name)? {
        true => file.group(name).map(Some).map_err(words),
        false => Err(format!("{name} is a link")),
    }
}
