//! What is new behind the end of the file that is there, then one switch to it.

use std::io;
use std::path::Path;

use super::book::Book;
use super::filling::{Sizes, Target, fill, newest};
use super::source::{Failure, Source};
use crate::hdf5::{Addition, Closed, Disk, Outcome, Stock, Superblock, take_stock};

/// A file is composed anew when its dead bytes are more than this part of those that are alive: a fourth.
const DEAD: u64 = 4;

/// A run's file that can be added to.
pub(super) struct Base {
    disk: Disk,
    superblock: Superblock,
    book: Book,
}

/// The file of the first source, if it can be added to and should be.
pub(super) fn base(sources: &[Source]) -> Outcome<Option<Base>> {
    let Some((disk, superblock)) = open(&sources[0].path)? else {
        return Ok(None);
    };
    let book = match Book::of(&disk, &superblock).map_err(in_words)? {
        Some(book) => book,
        None => new_book(&sources[0])?,
    };
    let base = Base {
        book: kept(book, sources),
        disk,
        superblock,
    };
    Ok((!base.is_mostly_dead()).then_some(base))
}

/// The file, if it is one whose content can be switched. One whose owner lets nobody write into it can still be replaced.
fn open(path: &Path) -> Outcome<Option<(Disk, Superblock)>> {
    let Ok(disk) = Disk::open(path) else {
        return Ok(None);
    };
    let superblock = Superblock::of(&disk).map_err(in_words)?;
    let is_same = disk.is_at(path).map_err(in_words)?;
    Ok(superblock.filter(|_| is_same).map(|found| (disk, found)))
}

fn in_words(error: io::Error) -> String {
    error.to_string()
}

impl Base {
    fn is_mostly_dead(&self) -> bool {
        let alive: u64 = self.book.sizes.values().sum();
        self.superblock.end().saturating_sub(alive) > alive / DEAD
    }
}

/// Of a file that somebody else wrote.
fn new_book(old: &Source) -> Outcome<Book> {
    let mut stock = Stock::default();
    let mut sizes = Sizes::new();
    for (name, places) in &old.variables {
        for place in places {
            *sizes.entry(name.clone()).or_default() += take_stock(&mut stock, &old.file, place)?;
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
    let mut book = base.book;
    let addition = Addition::begin(path, base.disk, base.superblock, book.next_dimension);
    let mut target = Target::Same(addition.map_err(at_path)?);
    for (name, size) in fill(&mut target, sources)? {
        // What is kept is as large as it was.
        book.sizes.entry(name).or_insert(size);
    }
    book.next_dimension = target.composer().next_dimension();
    let Target::Same(addition) = target else {
        return Err(at_path("nothing was added".into()));
    };
    let closed = addition.close().map_err(at_path)?;
    write(&book, closed).map_err(|error| at_path(in_words(error)))
}

fn write(book: &Book, mut closed: Closed) -> io::Result<Ready> {
    let bytes = book.bytes(closed.root);
    closed.disk.write(closed.end, &bytes)?;
    closed.end += bytes.len() as u64;
    closed.disk.make_last()?;
    Ok(Ready { closed })
}

/// New content that lasts, and that one switch makes the file's.
pub(super) struct Ready {
    pub(super) closed: Closed,
}

impl Ready {
    /// Makes it the file's content.
    pub(super) fn switch(&mut self) -> Outcome {
        let Closed {
            disk,
            superblock,
            root,
            end,
        } = &mut self.closed;
        superblock.switch(disk, *root, *end)
    }
}
