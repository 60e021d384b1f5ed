//! Taking out of a fragment what newer results have replaced before it was merged.

use std::fs::{self, File};
use std::path::Path;

use super::Fragment;
use super::writing::{ERRORS, PREVIEWS, SUMMARIES};
use crate::error::{Error, Result};
use crate::hdf5::{self, words};
use crate::results_dir;

/// Takes variables out of a complete fragment, which keeps its age. A crash leaves it as it was.
///
/// # Errors
/// [`Error::Results`], [`Error::File`].
pub fn trim(fragment: &Fragment, names: &[&str]) -> Result<()> {
    let path = &fragment.path;
    let failed = |source| Error::File {
        path: path.clone(),
        source,
    };
    let draft = path.with_extension("trimming");
    let modified = fs::metadata(path).and_then(|found| found.modified());
    fs::copy(path, &draft).map_err(failed)?;
    take_out(&draft, names).map_err(|reason| Error::results(path, reason))?;
    modified
        .and_then(|time| File::options().write(true).open(&draft)?.set_modified(time))
        .map_err(failed)?;
    results_dir::settle(&draft, path)
}

fn take_out(draft: &Path, names: &[&str]) -> hdf5::Outcome {
    let file = hdf5::reopen(draft)?;
    for group in ["/", SUMMARIES, PREVIEWS, ERRORS] {
        let Ok(group) = file.group(group) else {
            continue;
        };
        for name in names.iter().filter(|name| group.link_exists(name)) {
            group.unlink(name).map_err(words)?;
        }
    }
    file.close().map_err(words)
}
