//! A file as the library sees it while results are added to it: what is behind the old end goes to the disk, where
//! nobody looks yet; changes of what is before it stay in memory, and nobody ever sees them.

use std::collections::BTreeMap;
use std::io;

use super::disk::Disk;
use super::superblock::END;

const PAGE: usize = 4096;

/// What the library says it writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The superblock or the header of an object. Of old objects only the number of their links changes, which
    /// is the same again when the old root is no longer one.
    Header,
    /// Anything else: what is old must not change.
    Other,
}

/// The file.
pub(super) struct Overlay {
    pub(super) disk: Disk,
    /// Where the file ended.
    begin: u64,
    /// Where it ends for the library.
    pub(super) end: u64,
    /// How long the library takes it to be.
    pub(super) length: u64,
    /// Changed pages of what is before `begin`.
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    /// Why what was added must not become the file's content.
    pub(super) trouble: Option<String>,
}

impl Overlay {
    /// Of a file whose content ends at `begin`: there it ends for the library, too. What a killed process left behind
    /// that is cleared away.
    pub(super) fn new(mut disk: Disk, begin: u64) -> io::Result<Self> {
        disk.clear(begin)?;
        let mut made = Self {
            disk,
            begin,
            end: begin,
            length: begin,
            pages: BTreeMap::new(),
            trouble: None,
        };
        made.change(Kind::Header, END as u64, &begin.to_le_bytes())?;
        Ok(made)
    }

    pub(super) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.disk.read(at, bytes)?;
        for (number, page) in self.pages.range(at / PAGE as u64..) {
            let Some((from, here, length)) = self.shared(*number, at, bytes.len()) else {
                break;
            };
            bytes[from..from + length].copy_from_slice(&page[here..here + length]);
        }
        Ok(())
    }

    /// The part of `length` bytes from `at` on that is in a page: where in the bytes, where in the page, how many.
    fn shared(&self, page: u64, at: u64, length: usize) -> Option<(usize, usize, usize)> {
        let start = page * PAGE as u64;
        let first = at.max(start);
        let last = (at + length as u64)
            .min(start + PAGE as u64)
            .min(self.begin);
        (first < last).then(|| {
            let within = |from: u64| usize::try_from(first - from).unwrap_or(0);
            (within(at), within(start), (last - first) as usize)
        })
    }

    pub(super) fn write(&mut self, kind: Kind, at: u64, bytes: &[u8]) -> io::Result<()> {
        let old = usize::try_from(self.begin.saturating_sub(at)).unwrap_or(usize::MAX);
        let (old, new) = bytes.split_at(old.min(bytes.len()));
        if !old.is_empty() {
            self.change(kind, at, old)?;
        }
        match new.is_empty() {
            true => Ok(()),
            false => self.disk.write(at + old.len() as u64, new),
        }
    }

    fn change(&mut self, kind: Kind, at: u64, bytes: &[u8]) -> io::Result<()> {
        if kind == Kind::Other {
            let why = format!("HDF5 changes {} bytes at {at} in place", bytes.len());
            self.trouble.get_or_insert(why);
        }
        let pages = at / PAGE as u64..=(at + bytes.len() as u64 - 1) / PAGE as u64;
        for number in pages {
            let Some((from, here, length)) = self.shared(number, at, bytes.len()) else {
                continue;
            };
            let part = &bytes[from..from + length];
            self.page(number)?[here..here + length].copy_from_slice(part);
        }
        Ok(())
    }

    fn page(&mut self, number: u64) -> io::Result<&mut [u8; PAGE]> {
        use std::collections::btree_map::Entry;
        match self.pages.entry(number) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let mut page = Box::new([0; PAGE]);
                self.disk.read(number * PAGE as u64, &mut page[..])?;
                Ok(place.insert(page))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: u64 = 10_000;

    /// Of a file of ones.
    fn overlay(folder: &std::path::Path) -> Overlay {
        let path = folder.join("file");
        std::fs::write(&path, [1; 12_000]).unwrap();
        Overlay::new(Disk::open(&path).unwrap(), BEGIN).unwrap()
    }

    fn on_disk(folder: &std::path::Path) -> Vec<u8> {
        std::fs::read(folder.join("file")).unwrap()
    }

    #[test]
    fn what_is_old_is_changed_for_the_library_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut overlay = overlay(folder.path());
        // Over the border of two pages, then over the end of what is old.
        for (at, length) in [(4000, 200), (9990, 20)] {
            overlay.write(Kind::Header, at, &vec![7; length]).unwrap();
            let mut seen = vec![0; length + 2];
            overlay.read(at - 1, &mut seen).unwrap();
            assert_eq!((seen[0], seen[1], seen[length]), (1, 7, 7));
        }
        let bytes = on_disk(folder.path());
        assert_eq!(bytes[..10_000], [1; 10_000]);
        assert_eq!(bytes[10_000..10_010], [7; 10]);
        assert_eq!(overlay.trouble, None);
    }

    #[test]
    fn what_a_killed_process_left_is_cleared_away_and_the_length_stays() {
        let folder = tempfile::tempdir().unwrap();
        let _overlay = overlay(folder.path());
        let bytes = on_disk(folder.path());
        assert_eq!(bytes.len(), 12_000);
        assert_eq!(bytes[10_000..], [0; 2000]);
    }

    #[test]
    fn a_change_of_old_content_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut overlay = overlay(folder.path());
        overlay.write(Kind::Other, BEGIN, b"new").unwrap();
        assert_eq!(overlay.trouble, None);
        overlay.write(Kind::Other, BEGIN - 1, b"both").unwrap();
        assert!(overlay.trouble.is_some());
    }
}
