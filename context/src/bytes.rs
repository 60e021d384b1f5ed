//! The bytes of a result: few in memory, many in a file that nobody else can see.
//!
//! A result may be larger than what we want to hold beside the users' Python: whoever takes one in, stores or
//! draws it, goes through it piece by piece.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that are shared and never change.
#[derive(Debug, Clone)]
pub struct Bytes(Store);

#[derive(Debug, Clone)]
enum Store {
    Memory(Arc<Vec<u8>>),
    File {
        file: Arc<File>,
        start: u64,
        length: usize,
    },
}

impl Bytes {
    /// A part of a file that nobody writes into any more.
    pub fn in_file(file: Arc<File>, start: u64, length: usize) -> Self {
        Self(Store::File {
            file,
            start,
            length,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Store::Memory(all) => all.len(),
            Store::File { length, .. } => *length,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, if they are in memory.
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.0 {
            Store::Memory(all) => Some(all),
            Store::File { .. } => None,
        }
    }

    /// All of them, read into memory where they are not: for what has to be small.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn whole(&self) -> io::Result<Cow<'_, [u8]>> {
        self.part(0, self.len())
    }

    /// `length` bytes from `start` on.
    ///
    /// # Errors
    /// There are not so many, or the file cannot be read.
    pub fn part(&self, start: usize, length: usize) -> io::Result<Cow<'_, [u8]>> {
        let end = start
            .checked_add(length)
            .filter(|end| *end <= self.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        match &self.0 {
            Store::Memory(all) => Ok(Cow::Borrowed(&all[start..end])),
            Store::File {
                file, start: first, ..
            } => {
                let mut part = vec![0; length];
                file.read_exact_at(&mut part, first + start as u64)?;
                Ok(Cow::Owned(part))
            }
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(all: Vec<u8>) -> Self {
        Self(Store::Memory(all.into()))
    }
}

impl PartialEq for Bytes {
    /// Those in files are equal when they are the same.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Store::Memory(a), Store::Memory(b)) => a == b,
            (
                Store::File {
                    file: a,
                    start: from_a,
                    length: of_a,
                },
                Store::File {
                    file: b,
                    start: from_b,
                    length: of_b,
                },
            ) => Arc::ptr_eq(a, b) && (from_a, of_a) == (from_b, of_b),
            _ => false,
        }
    }
}

impl Eq for Bytes {}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn bytes_in_a_file_are_read_like_those_in_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"..hello").unwrap();
        let stored = Bytes::in_file(file.into(), 2, 5);
        let held = Bytes::from(b"hello".to_vec());
        for bytes in [&stored, &held] {
            assert_eq!(bytes.whole().unwrap(), b"hello".as_slice());
            assert_eq!(bytes.part(1, 3).unwrap(), b"ell".as_slice());
            assert!(bytes.part(3, 3).is_err());
        }
        assert_eq!(stored, stored.clone());
        assert_ne!(stored, held);
    }
}
