//! What is done to the bytes of a run's file itself.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::libc;

/// A file that is changed in place.
pub(crate) struct Disk {
    file: File,
    #[cfg(test)]
    pub(crate) done: Vec<Effect>,
}

/// One thing that was done to a file.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Written { at: u64, bytes: Vec<u8> },
    Length(u64),
    Lasting,
}

impl Disk {
    /// Opens a file that is nobody else's: no link leads to it, and it has no other name.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        // A pipe would wait for its other end.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = options
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        let about = file.metadata()?;
        if !about.is_file() || about.nlink() != 1 {
            return Err(io::Error::other("no file with one name only"));
        }
        Ok(Self {
            file,
            #[cfg(test)]
            done: Vec::new(),
        })
    }

    /// Whether this is the file that `path` names now.
    pub(crate) fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (here, there) = (self.file.metadata()?, path.symlink_metadata()?);
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> io::Result<u64> {
        self.file.metadata().map(|about| about.len())
    }

    /// Fills `bytes` from `at` on; what is behind the end of the file is 0.
    pub(crate) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read_at(&mut bytes[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes[filled..].fill(0);
        Ok(())
    }

    /// Writes `bytes` from `at` on.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        self.done.push(Effect::Written {
            at,
            bytes: bytes.to_vec(),
        });
        self.file.write_all_at(bytes, at)
    }

    /// Makes all bytes from `at` on 0, where the file system can; the file stays as long as it is.
    pub(crate) fn clear(&mut self, at: u64) -> io::Result<()> {
        let (from, length) = (at.cast_signed(), self.length()?.saturating_sub(at));
        if length > 0 {
            let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // Old bytes where nobody looks are only untidy.
            let _ = fallocate(&self.file, how, from, length.cast_signed());
        }
        Ok(())
    }

    /// Cuts or extends it.
    pub(crate) fn set_length(&mut self, length: u64) -> io::Result<()> {
        #[cfg(test)]
        self.done.push(Effect::Length(length));
        self.file.set_len(length)
    }

    /// Returns when what was written outlasts a power cut.
    pub(crate) fn make_last(&mut self) -> io::Result<()> {
        #[cfg(test)]
        self.done.push(Effect::Lasting);
        self.file.sync_data()
    }
}
