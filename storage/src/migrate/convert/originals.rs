//! Run files as they were before they were converted: kept beside the new ones.
//!
//! A file is linked into their folder first, then the new one takes its name in one rename: at every instant a run
//! has a whole file, and one that has another file there is done.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use runledger_migrations::Format;
use runledger_steps::{Step, reached};

use crate::sharing::share_folder;
use crate::{results_dir, sharing};

/// The folder of the originals of a database of format `from`.
pub(super) fn folder(dir: &Path, from: Format) -> PathBuf {
    results_dir::path(dir).join(format!("{}-backup", from.in_file_names()))
}

/// Where the original of a run's file is, or would be.
pub(super) fn original(dir: &Path, from: Format, file: &Path) -> PathBuf {
    folder(dir, from).join(file.file_name().unwrap_or_default())
}

/// Whether a file was replaced, and its original is kept.
pub(super) fn is_replaced(file: &Path, original: &Path) -> bool {
    let inode = |path: &Path| fs::metadata(path).map(|of| of.ino());
    match (inode(file), inode(original)) {
        (Ok(new), Ok(old)) => new != old,
        _ => false,
    }
}

/// Puts `draft` in the place of `file`, which is kept as `original`. The new one is as old as the old one.
pub(super) fn replace(file: &Path, draft: &Path, original: &Path) -> io::Result<()> {
    let folder = original.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    share_folder(folder)?;
    let about = fs::metadata(file)?;
    let new = File::options().write(true).open(draft)?;
    new.set_permissions(about.permissions())?;
    sharing::share_file(draft)?;
    new.set_times(FileTimes::new().set_modified(about.modified()?))?;
    new.sync_all()?;
    keep(file, original)?;
    reached(Step::OriginalLinked);
    fs::rename(draft, file)?;
    reached(Step::RunFileReplaced);
    results_dir::sync_folder_of(file)
}

/// One that is there already is the same file, if an earlier conversion was interrupted.
fn keep(file: &Path, original: &Path) -> io::Result<()> {
    match fs::hard_link(file, original) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Err(_) if is_replaced(file, original) => {
            let place = original.display();
            return Err(io::Error::other(format!(
                "another original is in the way: move {place} elsewhere"
            )));
        }
        _ => {}
    }
    results_dir::sync_folder_of(original)
}

/// Puts the run files back that are kept of format `to`; what is in their places is kept as of format `from`. Returns how
/// many there were.
pub(in crate::migrate) fn put_back(dir: &Path, to: Format, from: Format) -> io::Result<usize> {
    let results = results_dir::path(dir);
    let kept = folder(dir, to);
    let files = match newest(&kept) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        files => files?,
    };
    let aside = folder(dir, from);
    for (name, (_, original)) in &files {
        let file = results.join(name);
        if is_replaced(&file, original) {
            fs::create_dir_all(&aside)?;
            share_folder(&aside)?;
            fs::hard_link(&file, free(&aside, &file))?;
            reached(Step::PresentLinked);
        }
        fs::rename(original, &file)?;
        reached(Step::OriginalBack);
    }
    results_dir::sync_folder_of(&results.join("."))?;
    // Older ones may still be in it.
    let _ = fs::remove_dir(kept);
    Ok(files.len())
}

/// The files in a folder by the names that they had, of several of one name (`p1_r2.h5`, `p1_r2-2.h5`) the last.
fn newest(folder: &Path) -> io::Result<BTreeMap<String, (u32, PathBuf)>> {
    let mut found: BTreeMap<String, (u32, PathBuf)> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let numbered = stem.rsplit_once('-');
        let numbered = numbered.and_then(|(stem, number)| Some((stem, number.parse().ok()?)));
        let (stem, number) = numbered.unwrap_or((&stem, 1));
        let name = format!("{stem}.h5");
        if found.get(&name).is_none_or(|(known, _)| *known < number) {
            found.insert(name, (number, path.clone()));
        }
    }
    Ok(found)
}

/// A name like the file's that is free in a folder.
fn free(folder: &Path, file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let first = std::iter::once(folder.join(format!("{stem}.h5")));
    let others = (2..).map(|number: u32| folder.join(format!("{stem}-{number}.h5")));
    first
        .chain(others)
        .find(|name| !name.exists())
        .expect("numbers do not end")
}
