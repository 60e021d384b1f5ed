//! A run's file in the present format, beside the old one.

use std::path::Path;

use hdf5_metno::{File, Group};

use super::loose;
use super::survey::{STORED_TYPE, Survey, summaries};
use crate::fragment::SUMMARIES;
use crate::hdf5::{self, Composer, OBJTYPE, Outcome, words};

/// Writes at `draft` what the file at `path` is to become. What is not to change is taken as it is.
///
/// # Errors
/// In HDF5's words.
pub(super) fn rewrite(path: &Path, draft: &Path, changes: &Survey) -> Outcome {
    let file = File::open(path).map_err(words)?;
    let mut composer = Composer::create(draft)?;
    composer.take_attributes(&file)?;
    for name in file.member_names().map_err(words)? {
        if changes.arrays.contains(&name) {
            composer.write_netcdf(&name, &loose::object(&file, &name)?)?;
        } else if name == SUMMARIES {
            rewrite_summaries(&file, &mut composer, changes)?;
        } else {
            composer.take(&file, &name)?;
        }
    }
    for (name, word) in &changes.types {
        if let Some(word) = word {
            set_objtype(composer.root(), name, word)?;
        }
    }
    composer.close()
}

fn rewrite_summaries(file: &File, composer: &mut Composer, changes: &Survey) -> Outcome {
    composer.make_group(SUMMARIES)?;
    let made = composer.root().group(SUMMARIES).map_err(words)?;
    let old = file.group(SUMMARIES).map_err(words)?;
    composer.take_attributes_of(&old, &made)?;
    let own = summaries(file)?;
    for name in old.member_names().map_err(words)? {
        let summary = own.iter().find(|(own, _)| *own == name);
        match (summary, changes.drawn.get(&name)) {
            (Some((_, summary)), Some(png)) => {
                hdf5::write_bytes(&made, &name, &png.clone().into())?;
                let picture = made.dataset(&name).map_err(words)?;
                composer.take_attributes_of(summary, &picture)?;
            }
            _ => composer.take(file, &format!("{SUMMARIES}/{name}"))?,
        }
        if changes.types.contains_key(&name) {
            let summary = made.dataset(&name).map_err(words)?;
            summary.delete_attr(STORED_TYPE).map_err(words)?;
        }
    }
    Ok(())
}

/// One that a variable has already is the better one.
fn set_objtype(root: &Group, name: &str, word: &str) -> Outcome {
    match root.group(name) {
        Ok(group) if group.attr(OBJTYPE).is_err() => hdf5::set_text(&group, OBJTYPE, word),
        _ => Ok(()),
    }
}
