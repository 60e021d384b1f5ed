//! The first bytes of a file, which say what the rest means.
//!
//! Source: HDF5 File Format Specification 3.0, section II.A, version 0 of the superblock. Later versions have a
//! checksum over all of it, so that no part of it can be changed by itself.

use std::io;

use super::disk::Disk;

/// The library's mark, then the version.
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n\0";
pub(super) const LENGTH: usize = 96;
const SIZES: usize = 13;
const BASE: usize = 24;
const FREE_SPACE: usize = 32;
pub(super) const END: usize = 40;
const DRIVER: usize = 48;
const ROOT: usize = 64;
/// Whether what follows repeats something of the root group: 0 for no.
const ROOT_CACHE: usize = 72;
/// Two numbers that mean nothing to the library then, and that it sets to 0 when it writes the superblock.
const NOTES: [usize; 2] = [80, 88];

/// The superblock of a file whose content can be exchanged by changing one number in it.
pub(crate) struct Superblock {
    bytes: [u8; LENGTH],
}

impl Superblock {
    /// The one at the beginning of a file; None if it is of another kind.
    pub(crate) fn of(disk: &Disk) -> io::Result<Option<Self>> {
        let mut bytes = [0; LENGTH];
        disk.read(0, &mut bytes)?;
        let found = Self { bytes };
        Ok(found.is_plain().then_some(found))
    }

    /// Numbers of 8 bytes, counted from the beginning of the file, and nothing more than a root.
    fn is_plain(&self) -> bool {
        self.bytes.starts_with(SIGNATURE)
            && self.bytes[SIZES..SIZES + 2] == [8, 8]
            && self.number(BASE) == 0
            && [FREE_SPACE, DRIVER].map(|at| self.number(at)) == [u64::MAX; 2]
    }

    /// Whether the file has this one still.
    pub(crate) fn is_on(&self, disk: &Disk) -> io::Result<bool> {
        Ok(Self::of(disk)?.is_some_and(|now| now.bytes == self.bytes))
    }

    fn number(&self, at: usize) -> u64 {
        let bytes = self.bytes[at..].first_chunk();
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// One write, of which no reader sees half.
    fn set(&mut self, disk: &mut Disk, at: usize, number: u64) -> io::Result<()> {
        let bytes = number.to_le_bytes();
        self.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
        disk.write(at as u64, &bytes)
    }

    /// Where the file ends for its readers.
    pub(crate) fn end(&self) -> u64 {
        self.number(END)
    }

    /// Where the root group is.
    pub(crate) fn root(&self) -> u64 {
        self.number(ROOT)
    }

    /// Our two numbers; another program's are 0, or repeat the root's.
    pub(crate) fn notes(&self) -> [u64; 2] {
        match self.repeats_root() {
            true => [0; 2],
            false => NOTES.map(|at| self.number(at)),
        }
    }

    fn repeats_root(&self) -> bool {
        self.bytes[ROOT_CACHE..ROOT_CACHE + 4] != [0; 4]
    }

    /// Takes away what repeats something of the root: readers find the same in the root.
    pub(crate) fn stop_repeating(&mut self, disk: &mut Disk) -> io::Result<()> {
        match self.repeats_root() {
            // Its upper half is reserved, and 0.
            true => self.set(disk, ROOT_CACHE, 0),
            false => Ok(()),
        }
    }

    /// Moves the end for readers.
    pub(crate) fn set_end(&mut self, disk: &mut Disk, end: u64) -> io::Result<()> {
        self.set(disk, END, end)
    }

    /// Sets one of our numbers.
    pub(crate) fn set_note(&mut self, disk: &mut Disk, which: usize, note: u64) -> io::Result<()> {
        self.set(disk, NOTES[which], note)
    }

    /// Makes the group at `root` the root: from here on the file has other content.
    pub(crate) fn set_root(&mut self, disk: &mut Disk, root: u64) -> io::Result<()> {
        self.set(disk, ROOT, root)
    }
}
