//! What is new behind the content that is there, then one switch to it.

use std::io;
use std::path::{Path, PathBuf};

use super::book::Book;
use super::composing::SMALL;
use super::filling::{Sizes, Target, fill, newest};
use super::source::{Failure, Source};
use super::switching::{New, Place};
use crate::hdf5::{Addition, Disk, Outcome, Stock, Superblock, take_stock};

/// A file is composed anew when its dead bytes are more than this part of those that are alive: a fourth.
const DEAD: u64 = 4;

/// A run's file that can be added to.
pub(super) struct Base {
    place: Place,
    book: Book,
}

/// The file of the first source, if it can be added to and should be.
pub(super) fn base(sources: &[Source]) -> Outcome<Option<Base>> {
    let Some((disk, superblock)) = open(&sources[0].path).map_err(in_words)? else {
        return Ok(None);
    };
    let (book, note) = match Book::of(&disk, &superblock).map_err(in_words)? {
        Some((book, note)) => (book, Some(note)),
        None => (new_book(&sources[0])?, None),
    };
    let base = Base {
        book: kept(book, sources),
        place: Place {
            end: note.map_or(superblock.end(), |note| superblock.notes()[note]),
            note: note.unwrap_or(0),
            disk,
            superblock,
        },
    };
    Ok((!base.is_mostly_dead()).then_some(base))
}

/// The file, if it is one whose content can be switched. One whose owner lets nobody write into it can still be replaced.
fn open(path: &Path) -> io::Result<Option<(Disk, Superblock)>> {
    let Ok(disk) = Disk::open(path) else {
        return Ok(None);
    };
    let superblock = Superblock::of(&disk)?;
    let is_same = disk.is_at(path)?;
    let suits = |found: &Superblock| is_same && found.end() >= SMALL;
    Ok(superblock.filter(suits).map(|found| (disk, found)))
}

fn in_words(error: io::Error) -> String {
    error.to_string()
}

impl Base {
    fn is_mostly_dead(&self) -> bool {
        let sizes = self.book.sizes.values();
        let alive = sizes.fold(0, |sum: u64, size| sum.saturating_add(*size));
        self.place.end.saturating_sub(alive) > alive / DEAD
    }
}

/// Of a file that somebody else wrote.
fn new_book(old: &Source) -> Outcome<Book> {
    let mut stock = Stock::default();
    let mut sizes = Sizes::new();
    for (name, places) in &old.variables {
        for place in places {
            *sizes.entry(name.clone()).or_default() +=
                take_stock(&mut stock, &old.file, &place.path)?;
        }
    }
    Ok(Book {
        next_dimension: stock.next_dimension,
        sizes,
    })
}

/// Without what is replaced. What belongs to no variable, such as the groups, is always made anew.
fn kept(mut book: Book, sources: &[Source]) -> Book {
    let newest = newest(sources);
    book.sizes
        .retain(|name, _| newest.get(name.as_str()) == Some(&0));
    book
}

/// Writes what is new; nobody sees it yet.
pub(super) fn append(base: Base, sources: &[Source]) -> Result<Ready, Failure> {
    let path = &sources[0].path;
    let at_path = |reason| (path.clone(), reason);
    let Base { mut place, book } = base;
    let addition = Addition::begin(path, place.disk, place.end, book.next_dimension);
    let mut target = Target::Same(addition.map_err(at_path)?);
    let sizes = fill(&mut target, sources)?;
    let book = after(book, sizes, target.composer().next_dimension());
    let Target::Same(addition) = target else {
        return Err(at_path("nothing was added".into()));
    };
    let mut written = addition.close().map_err(at_path)?;
    let bytes = book.bytes(written.root);
    let noted = written.disk.write(written.end, &bytes);
    noted.map_err(|error| at_path(in_words(error)))?;
    place.disk = written.disk;
    let new = New {
        root: written.root,
        end: written.end + bytes.len() as u64,
    };
    Ok(Ready {
        place,
        new,
        path: path.clone(),
    })
}

/// Gives back the space of what was written and did not become the content: the disk may be full.
pub(super) fn give_back(path: &Path) -> io::Result<()> {
    let Some((mut disk, superblock)) = open(path)? else {
        return Ok(());
    };
    match Book::of(&disk, &superblock)? {
        Some((_, note)) => disk.clear(superblock.notes()[note]),
        None => disk.clear(superblock.end()),
    }
}

/// With what was written. What was kept is as large as it was.
fn after(mut book: Book, sizes: Sizes, next_dimension: i32) -> Book {
    for (name, size) in sizes {
        book.sizes.entry(name).or_insert(size);
    }
    book.next_dimension = next_dimension;
    book
}

/// New content that one switch makes the file's.
pub(super) struct Ready {
    pub(super) place: Place,
    new: New,
    path: PathBuf,
}

impl Ready {
    /// Makes it the file's content.
    ///
    /// # Errors
    /// The system's, or that the file has not this name any more: the results are where nobody finds them.
    pub(super) fn switch(&mut self) -> io::Result<()> {
        self.place.switch(&self.new)?;
        match self.place.disk.is_at(&self.path)? {
            true => Ok(()),
            false => Err(io::Error::other(
                "another program replaced the file while results were added to it",
            )),
        }
    }
}
