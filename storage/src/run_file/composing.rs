//! The whole file anew, beside the old one, which it replaces in one rename.

use std::io;
use std::path::Path;

use super::book::Book;
use super::filling::{Target, fill};
use super::source::{Failure, Source};
use super::switching::Place;
use crate::hdf5::{self, Composer, Disk, Superblock};

/// A file of less is always composed anew: it takes no longer, and nothing dead stays in it.
pub(super) const SMALL: u64 = 4 << 20;

/// Composes a file of what the sources have, oldest first.
pub(super) fn compose(draft: &Path, sources: &[Source]) -> Result<(), Failure> {
    let at_draft = |reason| (draft.to_path_buf(), reason);
    let composer = Composer::create(draft).map_err(at_draft)?;
    let mut target = Target::New(composer);
    // Copying is reported as a failure of the file that is read, also where the disk is full.
    let about = |(path, reason): Failure| match hdf5::is_not_written(&reason) {
        true => at_draft(reason),
        false => (path, reason),
    };
    let sizes = fill(&mut target, sources).map_err(about)?;
    let Target::New(composer) = target else {
        return Ok(());
    };
    let next_dimension = composer.next_dimension();
    composer.close().map_err(at_draft)?;
    let book = Book {
        next_dimension,
        sizes,
    };
    add(&book, draft).map_err(|error| at_draft(error.to_string()))
}

/// Prepares a file that will be added to.
fn add(book: &Book, draft: &Path) -> io::Result<()> {
    let mut disk = Disk::open(draft)?;
    let superblock = Superblock::of(&disk)?;
    let Some(superblock) = superblock.filter(|found| found.end() >= SMALL) else {
        return Ok(());
    };
    let (end, book) = (superblock.end(), book.bytes(superblock.root()));
    disk.write(end, &book)?;
    let place = Place {
        disk,
        superblock,
        end: end + book.len() as u64,
        note: 0,
    };
    place.prepare()
}
