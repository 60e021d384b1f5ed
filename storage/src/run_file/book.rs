//! What we know of a run's file: the last bytes of its content, where no reader looks.
//!
//! A text in JSON, its length, its checksum, and a mark. A note in the superblock says where it ends. Who else writes into
//! the file makes it as long as the superblock says; then the book holds no longer.

use std::collections::BTreeMap;
use std::io;

use flate2::Crc;
use serde_json::{Value, json};

use super::filling::Sizes;
use crate::hdf5::{Disk, Superblock};

/// Behind the text: its length in 8 bytes, its checksum in 4, and this.
const MARK: &[u8; 4] = b"RLbk";
const FOOT: u64 = 16;
/// More than this is no book.
const LONGEST: u64 = 1 << 26;

/// The book.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Book {
    /// The next free number of a NetCDF dimension.
    pub(super) next_dimension: i32,
    /// Variable → its bytes.
    pub(super) sizes: Sizes,
}

impl Book {
    /// The book of a file, and which of the notes says where it ends; None if there is none about the content.
    pub(super) fn of(disk: &Disk, superblock: &Superblock) -> io::Result<Option<(Self, usize)>> {
        if disk.length()? <= superblock.end() {
            return Ok(None);
        }
        for (note, end) in superblock.notes().into_iter().enumerate() {
            let text = match end <= superblock.end() {
                true => text(disk, end)?,
                false => None,
            };
            if let Some(book) = text.and_then(|text| Self::read(&text, superblock.root())) {
                return Ok(Some((book, note)));
            }
        }
        Ok(None)
    }

    /// `root` tells whether it is about this content: before and after the switch there are the books of both.
    fn read(text: &[u8], root: u64) -> Option<Self> {
        let known: Value = serde_json::from_slice(text).ok()?;
        if known["root"].as_u64()? != root {
            return None;
        }
        let sizes = known["sizes"].as_object()?.iter();
        let sizes: Option<BTreeMap<_, _>> = sizes
            .map(|(name, size)| Some((name.clone(), size.as_u64()?)))
            .collect();
        Some(Self {
            next_dimension: known["next_dimension"].as_i64()?.try_into().ok()?,
            sizes: sizes?,
        })
    }

    /// As it is in a file with this root.
    pub(super) fn bytes(&self, root: u64) -> Vec<u8> {
        let mut bytes = json!({
            "root": root,
            "next_dimension": self.next_dimension,
            "sizes": self.sizes,
        })
        .to_string()
        .into_bytes();
        let (length, sum) = (bytes.len() as u64, checksum(&bytes));
        bytes.extend(length.to_le_bytes());
        bytes.extend(sum.to_le_bytes());
        bytes.extend(MARK);
        bytes
    }
}

/// The text of the book that ends at `end`, if one does.
fn text(disk: &Disk, end: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(place) = end.checked_sub(FOOT) else {
        return Ok(None);
    };
    let mut foot = [0; FOOT as usize];
    disk.read(place, &mut foot)?;
    let length = u64::from_le_bytes(*foot.first_chunk().unwrap_or(&[0; 8]));
    if foot[12..] != *MARK || length > LONGEST.min(place) {
        return Ok(None);
    }
    let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
    disk.read(place - length, &mut text)?;
    Ok((checksum(&text).to_le_bytes() == foot[8..12]).then_some(text))
}

fn checksum(text: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(text);
    crc.sum()
}
