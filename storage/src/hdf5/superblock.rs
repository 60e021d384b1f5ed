//! The first bytes of a file, which say what the rest means.
//!
//! Source: HDF5 File Format Specification 3.0, section II.A, version 0 of the superblock. Later versions have a
//! checksum over all of it, so that no part of it can be changed by itself.

use std::io;

use super::Outcome;
use super::disk::Disk;

/// The library's mark, then the version; all that follows is as the library has it unless it is told otherwise.
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n\0";
const LENGTH: usize = 96;
const SIZES: usize = 13;
const BASE: usize = 24;
const FREE_SPACE: usize = 32;
const END: usize = 40;
const DRIVER: usize = 48;
const ROOT: usize = 64;
/// What of the root group is repeated in the superblock: 0 for nothing.
const ROOT_CACHE: usize = 72;

/// The superblock of a file whose content can be exchanged by changing numbers in it, one by one.
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

    fn number(&self, at: usize) -> u64 {
        let bytes = self.bytes[at..].first_chunk();
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// Where the file's content ends: what is behind it is nobody's.
    pub(crate) fn end(&self) -> u64 {
        self.number(END)
    }

    /// Where the root group is.
    pub(crate) fn root(&self) -> u64 {
        self.number(ROOT)
    }

    /// Makes `end` the file's end, for a file that nobody else has open.
    pub(crate) fn set_end(&self, disk: &mut Disk, end: u64) -> io::Result<()> {
        disk.write(END as u64, &end.to_le_bytes())
    }

    /// Makes the group at `root` the file's root, and `end` its end. All that is behind the old end has to be
    /// written and to last by now.
    ///
    /// Each write is of one number, which no reader sees half of, and leaves a file that is whole: the old content
    /// until the last one, the new content from it on. The last one waits until the others last, so that who
    /// read the old end just before them has read the root as well.
    pub(crate) fn switch(&self, disk: &mut Disk, root: u64, end: u64) -> Outcome {
        let same = Self::of(disk)
            .map_err(refused)?
            .is_some_and(|now| now.bytes == self.bytes);
        if !same {
            return Err("another program changed the file while results were added to it".into());
        }
        let mut switched = || -> io::Result<()> {
            disk.write(ROOT_CACHE as u64, &0_u32.to_le_bytes())?;
            disk.write(END as u64, &end.to_le_bytes())?;
            disk.make_last()?;
            disk.write(ROOT as u64, &root.to_le_bytes())?;
            disk.make_last()
        };
        switched().map_err(refused)
    }
}

/// The system's words.
pub(super) fn refused(error: io::Error) -> String {
    error.to_string()
}
