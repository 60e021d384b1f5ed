//! What we know of a run's file: behind its objects, where no reader looks.
//!
//! A text in JSON, its length, and a mark; they are the last bytes before the file's end. Whoever else writes into
//! the file writes behind them, so that they are not the last any more, and hold no longer.

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
    /// The book of a file, if it has one that is about its content.
    pub(super) fn of(disk: &Disk, superblock: &Superblock) -> io::Result<Option<Self>> {
        let Some(place) = superblock.end().checked_sub(FOOT) else {
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
        let sound = checksum(&text).to_le_bytes() == foot[8..12];
        Ok(sound
            .then(|| Self::read(&text, superblock.root()))
            .flatten())
    }

    /// `root` tells whether it is about this content: a crash before the switch leaves the book of another.
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

fn checksum(text: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(text);
    crc.sum()
}
