//! Making what was written behind a file's content its content, in one write of 8 bytes.
//!
//! A reader of HDF5 opens a file in three steps: it asks how long the file is; it reads the first half of the superblock,
//! where the file's end is; it reads the second half, where the root is. The switch may come between any two of them. So
//! content, end and length keep their distance:
//!
//! ```text
//! content │ room for what comes next │ length that comes next │
//!         └─ in the book's note      └─ end in the superblock └─ length of the file
//! ```
//!
//! New content goes where the end has been behind it for some time, and the end only moves within the length that the
//! file has had for some time. The room takes no space on the disk. Who else writes into the file cuts it off.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use runledger_steps::{Step, reached};

use crate::hdf5::{Disk, Superblock};

/// How long a reader may take from one of those steps to the next; otherwise it takes some microseconds.
const A_READERS_TIME: Duration = Duration::from_millis(250);

/// How much room there is, as a part of the content, in bytes.
const PART: u64 = 8;
const LEAST: u64 = 2 << 20;
const MOST: u64 = 64 << 20;

fn room(end: u64) -> u64 {
    (end / PART).clamp(LEAST, MOST)
}

/// A file, and where its content ends.
pub(super) struct Place {
    pub(super) disk: Disk,
    pub(super) superblock: Superblock,
    /// Where the content ends.
    pub(super) end: u64,
    /// Which of the superblock's notes says so.
    pub(super) note: usize,
}

/// What is written behind the content, and will be the content.
pub(super) struct New {
    pub(super) root: u64,
    pub(super) end: u64,
}

impl Place {
    /// Makes room behind the content of a file that nobody else has open.
    pub(super) fn prepare(mut self) -> io::Result<()> {
        let Self {
            disk,
            superblock,
            end,
            note,
        } = &mut self;
        superblock.stop_repeating(disk)?;
        superblock.set_note(disk, *note, *end)?;
        superblock.set_end(disk, *end + room(*end))?;
        disk.set_length(superblock.end() + room(*end))
    }

    /// Makes `new` the content. Until the root is written the file has the old content, from then on the new one,
    /// whoever reads it and wherever it is cut short; the note that is right is the one that names a book of the root.
    pub(super) fn switch(&mut self, new: &New) -> io::Result<()> {
        if !self.superblock.is_on(&self.disk)? {
            let why = "another program changed the file while results were added to it";
            return Err(io::Error::other(why));
        }
        if new.end > self.superblock.end() {
            self.make_room(new.end)?;
        }
        let note = 1 - self.note;
        self.superblock.set_note(&mut self.disk, note, new.end)?;
        self.disk.make_last()?;
        reached(Step::BookNoted);
        self.superblock.set_root(&mut self.disk, new.root)?;
        reached(Step::RootWritten);
        self.disk.make_last()?;
        reached(Step::MergeSwitched);
        (self.end, self.note) = (new.end, note);
        self.make_room_ahead()
    }

    /// Moves the end behind content that does not fit before it, slowly enough for every reader.
    fn make_room(&mut self, end: u64) -> io::Result<()> {
        let Self {
            disk, superblock, ..
        } = self;
        superblock.stop_repeating(disk)?;
        lengthen(disk, end + 2 * room(end))?;
        disk.make_last()?;
        reached(Step::FileLengthened);
        sleep(A_READERS_TIME);
        superblock.set_end(disk, end + room(end))?;
        disk.make_last()?;
        reached(Step::EndMoved);
        sleep(A_READERS_TIME);
        Ok(())
    }

    /// For the next time: moves the end within the length that the file has, then makes it longer.
    fn make_room_ahead(&mut self) -> io::Result<()> {
        let (end, room) = (self.end, room(self.end));
        let ahead = (end + room).min(self.disk.length()? - 1);
        if self.superblock.end() < end + room / 2 && ahead > self.superblock.end() {
            self.superblock.set_end(&mut self.disk, ahead)?;
        }
        lengthen(&mut self.disk, self.superblock.end() + room)
    }
}

fn lengthen(disk: &mut Disk, length: u64) -> io::Result<()> {
    match disk.length()? < length {
        true => disk.set_length(length),
        false => Ok(()),
    }
}
