//! The whole file anew, beside the old one, which it replaces in one rename.

use std::path::Path;

use super::book::Book;
use super::filling::{Target, fill};
use super::source::{Failure, Source};
use crate::hdf5::{Composer, Disk, Outcome, Superblock};

/// Composes a file of what the sources have, oldest first.
pub(super) fn compose(draft: &Path, sources: &[Source]) -> Result<(), Failure> {
    let at_draft = |reason| (draft.to_path_buf(), reason);
    let composer = Composer::create(draft).map_err(at_draft)?;
    let mut target = Target::New(composer);
    let sizes = fill(&mut target, sources)?;
    let Target::New(composer) = target else {
        return Ok(());
    };
    let next_dimension = composer.next_dimension();
    composer.close().map_err(at_draft)?;
    let book = Book {
        next_dimension,
        sizes,
    };
    add(&book, draft).map_err(at_draft)
}

fn add(book: &Book, draft: &Path) -> Outcome {
    let written = || -> std::io::Result<()> {
        let mut disk = Disk::open(draft)?;
        if let Some(superblock) = Superblock::of(&disk)? {
            let (end, book) = (superblock.end(), book.bytes(superblock.root()));
            disk.write(end, &book)?;
            superblock.set_end(&mut disk, end + book.len() as u64)?;
        }
        Ok(())
    };
    written().map_err(|error| error.to_string())
}
