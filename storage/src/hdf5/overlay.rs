//! A file as the library sees it while results are added to it: what is behind the old end goes to the disk, where
//! nobody looks yet; its changes of the superblock stay in memory, and nobody ever sees them.

use std::io;

use super::disk::Disk;
use super::superblock::{END, LENGTH};

/// The file.
pub(super) struct Overlay {
    pub(super) disk: Disk,
    /// Where the file ended.
    begin: u64,
    /// Where it ends for the library.
    pub(super) end: u64,
    /// How long the library takes it to be.
    pub(super) length: u64,
    /// The superblock as the library wrote it.
    superblock: [u8; LENGTH],
    /// Why what was added must not become the file's content.
    pub(super) trouble: Option<String>,
}

impl Overlay {
    /// Of a file whose content ends at `begin`: there it ends for the library, too. What a killed process left behind
    /// that is cleared away.
    pub(super) fn new(mut disk: Disk, begin: u64) -> io::Result<Self> {
        disk.clear(begin)?;
        let mut superblock = [0; LENGTH];
        disk.read(0, &mut superblock)?;
        superblock[END..END + 8].copy_from_slice(&begin.to_le_bytes());
        Ok(Self {
            disk,
            begin,
            end: begin,
            length: begin,
            superblock,
            trouble: None,
        })
    }

    pub(super) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.disk.read(at, bytes)?;
        let ours = self.superblock.iter().skip(at as usize);
        bytes
            .iter_mut()
            .zip(ours)
            .for_each(|(byte, our)| *byte = *our);
        Ok(())
    }

    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if at >= self.begin {
            return self.disk.write(at, bytes);
        }
        let place = at as usize..at as usize + bytes.len();
        match self.superblock.get_mut(place) {
            Some(changed) => changed.copy_from_slice(bytes),
            None => {
                // An answer that the library takes for a broken disk would not let it close the file.
                let why = format!("HDF5 changes {} bytes at {at} in place", bytes.len());
                self.trouble.get_or_insert(why);
            }
        }
        Ok(())
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
    fn the_superblock_is_changed_for_the_library_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut overlay = overlay(folder.path());
        overlay.write(48, &[7; 48]).unwrap();
        overlay.write(BEGIN, &[7; 10]).unwrap();
        let mut seen = [0; 100];
        overlay.read(47, &mut seen).unwrap();
        assert_eq!(seen[1..49], [7; 48]);
        assert_eq!(seen[49..], [1; 51]);
        let bytes = on_disk(folder.path());
        assert_eq!(bytes[..10_000], [1; 10_000]);
        assert_eq!(bytes[10_000..10_010], [7; 10]);
        assert_eq!(overlay.trouble, None);
    }

    #[test]
    fn where_the_content_ends_is_where_the_library_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = [0; 8];
        overlay(folder.path()).read(END as u64, &mut seen).unwrap();
        assert_eq!(u64::from_le_bytes(seen), BEGIN);
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
    fn a_change_of_old_content_is_told_and_not_done() {
        for (at, count) in [(LENGTH as u64, 1), (90, 10), (BEGIN - 1, 4)] {
            let folder = tempfile::tempdir().unwrap();
            let mut overlay = overlay(folder.path());
            overlay.write(BEGIN, &[7]).unwrap();
            assert_eq!(overlay.trouble, None);
            overlay.write(at, &vec![7; count]).unwrap();
            assert!(overlay.trouble.is_some());
            let old = &on_disk(folder.path())[..10_000];
            assert_eq!(old, [1; 10_000]);
        }
    }
}
