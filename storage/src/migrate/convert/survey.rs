//! What there is to change in a run's file of an older format. Changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_metno::{Dataset, File};
use runledger_migrations::Format;
use serde::{Deserialize, Serialize};

use super::{loose, pictures};
use crate::fragment::{ERRORS, PREVIEWS, SUMMARIES};
use crate::hdf5::{self, Attribute, Outcome, is_hard_link, words};
use crate::pictures::spread;

/// The attribute of a summary by which the early format 1 told what its variable was.
pub(super) const STORED_TYPE: &str = "stored_type";
/// What of that the present format tells, too, in lower case.
const KEPT_TYPES: [&str; 4] = ["DataArray", "Dataset", "image", "timestamp"];

/// What there is to change in a run's file, and what it says of its cells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// Variables whose arrays get their labels, as NetCDF-4.
    pub arrays: Vec<String>,
    /// Variables whose summaries become thumbnails.
    pub pictures: Vec<String>,
    /// Variables that a summary says the type of, and the word for it, if the present format has one.
    pub types: BTreeMap<String, Option<String>>,
    /// Variables that stay as they are, and why.
    pub kept: BTreeMap<String, String>,
    /// How far the numbers of variables spread.
    pub max_diffs: BTreeMap<String, f64>,
    /// Variables whose summaries had become thumbnails before.
    pub redrawn: Vec<String>,
    /// It could not be read: nothing is known of it but its time.
    pub unread: bool,
    /// The thumbnails, where they were drawn in this process.
    #[serde(skip)]
    pub(super) drawn: BTreeMap<String, Vec<u8>>,
}

impl Survey {
    /// Of a file that could not be read.
    pub fn unread() -> Self {
        Self {
            unread: true,
            ..Self::default()
        }
    }

    /// Whether the file is to change.
    pub fn changes(&self) -> bool {
        !(self.arrays.is_empty() && self.pictures.is_empty() && self.types.is_empty())
    }
}

/// Looks through the file at `path`.
///
/// # Errors
/// In HDF5's words, why it cannot be read.
pub(super) fn survey(path: &Path, from: Format) -> Outcome<Survey> {
    let file = File::open(path).map_err(words)?;
    let mut found = Survey::default();
    for name in file.member_names().map_err(words)? {
        if from == Format::Wide && is_variable(&file, &name)? {
            of_variable(&file, &name, &mut found)?;
        }
    }
    for (name, summary) in summaries(&file)? {
        if from == Format::Intermediate && summary.attr(STORED_TYPE).is_ok() {
            found.types.insert(name.clone(), objtype(&summary)?);
        }
        if !pictures::is_picture(&summary) {
            continue;
        }
        match pictures::thumbnail(&summary) {
            Ok(png) => {
                found.pictures.push(name.clone());
                found.drawn.insert(name, png);
            }
            Err(why) => {
                let why = format!("its summary stays an array: {why}");
                found.kept.entry(name).or_insert(why);
            }
        }
    }
    Ok(found)
}

/// Whether what is at the top of a file is a variable's.
fn is_variable(file: &File, name: &str) -> Outcome<bool> {
    Ok(![SUMMARIES, PREVIEWS, ERRORS].contains(&name)
        && is_hard_link(file, name)?
        && file.group(name).is_ok())
}

fn of_variable(file: &File, name: &str, found: &mut Survey) -> Outcome {
    let group = file.group(name).map_err(words)?;
    if loose::is_loose(&group)? {
        match loose::dimensions_of(file, name) {
            Ok(_) => found.arrays.push(name.into()),
            Err(why) => drop(found.kept.insert(name.into(), why)),
        }
    }
    if let Some(spread) = max_diff(file, name)? {
        found.max_diffs.insert(name.into(), spread);
    }
    Ok(())
}

/// As it was stored; else that of numbers in one dimension.
fn max_diff(file: &File, variable: &str) -> Outcome<Option<f64>> {
    let Ok(data) = hdf5::own_dataset(file, variable, "data") else {
        return Ok(None);
    };
    if let Ok(stored) = data.attr("max_diff").and_then(|it| it.read_scalar::<f64>()) {
        return Ok(Some(stored));
    }
    if data.ndim() != 1 || !is_number(&data) {
        return Ok(None);
    }
    let spread = spread(&hdf5::array(&data)?);
    // Numbers that are all missing spread in no way that could be told.
    Ok(spread.filter(|spread| spread.is_finite()))
}

fn is_number(data: &Dataset) -> bool {
    use hdf5_metno::types::TypeDescriptor as T;
    matches!(
        hdf5::kind(data),
        Ok(T::Integer(_) | T::Unsigned(_) | T::Float(_))
    )
}

/// The summaries that are in the file itself.
pub(super) fn summaries(file: &File) -> Outcome<Vec<(String, Dataset)>> {
    let Ok(group) = file.group(SUMMARIES) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for name in group.member_names().map_err(words)? {
        if let Ok(summary) = hdf5::own_dataset(file, SUMMARIES, &name) {
            found.push((name, summary));
        }
    }
    Ok(found)
}

fn objtype(summary: &Dataset) -> Outcome<Option<String>> {
    let known = hdf5::attributes(summary)?;
    let stored = known.into_iter().find_map(|(name, value)| match value {
        Attribute::Text(text) if name == STORED_TYPE => Some(text),
        _ => None,
    });
    Ok(stored
        .filter(|stored| KEPT_TYPES.contains(&stored.as_str()))
        .map(|stored| stored.to_lowercase()))
}
