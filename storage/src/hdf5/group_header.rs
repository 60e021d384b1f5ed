//! The header of a group that has many links, made without the library.
//!
//! For each link that the library makes it opens the object, and changes the number of links in it. The objects that
//! stay in a file have the right number: their links are written as they are.
//!
//! Source: HDF5 File Format Specification 3.0, sections IV.A.1.b (headers of version 2) and IV.A.2 (messages).

use std::ffi::c_void;

use super::Outcome;
use super::disk::Disk;
use super::links::Link;

const MARK: &[u8; 5] = b"OHDR\x02";
/// Before the first messages: mark, flags, times, how many bytes the messages have.
const LONGEST_START: usize = 30;
/// Of the flags: how many bytes the length of the messages takes (1, 2, 4, 8), and whether there are times.
const WIDTH: u8 = 0b11;
const HAS_TIMES: u8 = 0b10_0000;
const TIMES: usize = 16;
/// Kind, length in 2 bytes, flags.
const MESSAGE: usize = 4;
const NOTHING: u8 = 0;
const LINK: u8 = 6;
const GROUP_INFO: u8 = 10;
const CONTINUATION: u8 = 16;
/// When links move out of the header: as usual. It never changes.
const USUAL_GROUP: [u8; 6] = [GROUP_INFO, 2, 0, 1, 0, 0];

/// The header of the group at `at`, which the library just made with all links in it, and with `more` links.
pub(super) fn with_links(disk: &Disk, at: u64, more: &[Link]) -> Outcome<Vec<u8>> {
    let (times, mut messages) = read(disk, at)?;
    messages.extend(USUAL_GROUP);
    for link in more {
        messages.extend(message(link)?);
    }
    let length = u32::try_from(messages.len()).map_err(|_| "the group has too many links")?;
    let flags = 0b10 | if times.is_empty() { 0 } else { HAS_TIMES };
    let mut header = [MARK.as_slice(), &[flags], &times].concat();
    header.extend(length.to_le_bytes());
    header.append(&mut messages);
    header.extend(checksum(&header).to_le_bytes());
    Ok(header)
}

/// The times of a header, and those of its messages that say what the object is.
fn read(disk: &Disk, at: u64) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let start = bytes(disk, at, LONGEST_START)?;
    let flags = start[MARK.len()];
    if !start.starts_with(MARK) || flags & !(WIDTH | HAS_TIMES) != 0 {
        return Err("HDF5 made a group of another kind".into());
    }
    let count = if flags & HAS_TIMES == 0 { 0 } else { TIMES };
    let times = MARK.len() + 1..MARK.len() + 1 + count;
    let width = 1 << (flags & WIDTH);
    let first = times.end + width;
    let length = number(&start[times.end..first]);
    let mut parts = vec![(at + first as u64, length)];
    let mut messages = Vec::new();
    while let Some((at, length)) = parts.pop() {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        sort_out(&bytes(disk, at, length)?, &mut messages, &mut parts)?;
    }
    Ok((start[times].to_vec(), messages))
}

/// The messages that stay; and where the other parts of the header are.
fn sort_out(part: &[u8], messages: &mut Vec<u8>, parts: &mut Vec<(u64, u64)>) -> Outcome {
    let mut rest = part;
    // What is shorter than a message's beginning is a gap.
    while let [kind, low, high, _flags, ..] = *rest {
        let length = MESSAGE + usize::from(u16::from_le_bytes([low, high]));
        let torn = || "HDF5 made a group whose header is not whole";
        let (message, others) = rest.split_at_checked(length).ok_or_else(torn)?;
        match kind {
            NOTHING | GROUP_INFO => {}
            CONTINUATION => {
                let (at, length) = message[MESSAGE..].split_at(8);
                // Between its own mark and its checksum.
                parts.push((number(at) + 4, number(length).saturating_sub(8)));
            }
            _ => messages.extend(message),
        }
        rest = others;
    }
    Ok(())
}

fn number(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn bytes(disk: &Disk, at: u64, count: usize) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; count];
    let read = disk.read(at, &mut bytes);
    read.map_err(|error| error.to_string()).map(|()| bytes)
}

/// A link to an object in the same file.
fn message(link: &Link) -> Outcome<Vec<u8>> {
    let place = link.object.ok_or("a link leads out of the file")?;
    let too_long = |_| format!("the name {:?} is too long", link.name);
    let length = u16::try_from(link.name.len()).map_err(too_long)?;
    // Version 1; the length of the name has 2 bytes, before it there is the kind of its letters.
    let mut body = vec![1, 0b1_0001, u8::from(link.is_utf8)];
    body.extend(length.to_le_bytes());
    body.extend(link.name.as_bytes());
    body.extend(place.to_le_bytes());
    let length = u16::try_from(body.len()).map_err(too_long)?.to_le_bytes();
    Ok([&[LINK, length[0], length[1], 0], body.as_slice()].concat())
}

unsafe extern "C" {
    /// Of the library's own use, so that it is the one that readers compare with.
    fn H5_checksum_metadata(bytes: *const c_void, count: usize, start: u32) -> u32;
}

fn checksum(bytes: &[u8]) -> u32 {
    // SAFETY: it reads so many bytes.
    unsafe { H5_checksum_metadata(bytes.as_ptr().cast(), bytes.len(), 0) }
}
