//! Datasets of files from elsewhere: whether what would be read is in the file.
//!
//! HDF5 follows links to other files, and reads datasets whose bytes are in any other file, as if they were its own.
//! Whoever reads such a dataset for the table would show what the file's author may not read.

use hdf5_metno::plist::dataset_create::Layout;
use hdf5_metno::{Dataset, File};

use super::copying::is_hard_link;
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
    let made = dataset.create_plist().map_err(words)?;
    match made.layout() == Layout::Virtual || !made.get_external().map_err(words)?.is_empty() {
        true => Err(format!("the data of {place} are in another file")),
        false => Ok(dataset),
    }
}
