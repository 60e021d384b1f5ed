//! Makes the checksums of an HDF5 file right, so that what was changed below them is read.
//!
//! Source: HDF5 File Format Specification 3.0, section IV.A.1.b; the checksum is Bob Jenkins' lookup3 (`hashlittle`,
//! public domain).

const MARK: &[u8] = b"OHDR\x02";
const HAS_PHASES: u8 = 0b1_0000;
const HAS_TIMES: u8 = 0b10_0000;

/// Of each header of an object.
pub(crate) fn set_right(file: &mut [u8]) {
    let places = (0..file.len()).filter(|at| file[*at..].starts_with(MARK));
    for at in places.collect::<Vec<_>>() {
        let Some(end) = end_of_messages(&file[at..]).filter(|end| at + end + 4 <= file.len())
        else {
            continue;
        };
        let sum = lookup3(&file[at..at + end]).to_le_bytes();
        file[at + end..at + end + 4].copy_from_slice(&sum);
    }
}

/// Where the messages in the first part of a header end.
fn end_of_messages(header: &[u8]) -> Option<usize> {
    let flags = *header.get(5)?;
    let times = if flags & HAS_TIMES == 0 { 0 } else { 16 };
    let phases = if flags & HAS_PHASES == 0 { 0 } else { 4 };
    let (first, width) = (6 + times + phases, 1 << (flags & 3));
    let length = header.get(first..first + width)?.iter().rev();
    let length = length.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(length).ok()?.checked_add(first + width)
}

fn lookup3(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
    let mut state = [start; 3];
    let mut rest = bytes;
    while rest.len() > 12 {
        let (block, others) = rest.split_at(12);
        add(&mut state, block);
        mix(&mut state);
        rest = others;
    }
    if !rest.is_empty() {
        add(&mut state, rest);
        last_mix(&mut state);
    }
    state[2]
}

fn add(state: &mut [u32; 3], block: &[u8]) {
    for (place, byte) in block.iter().enumerate() {
        let part = &mut state[place / 4];
        *part = part.wrapping_add(u32::from(*byte) << (8 * (place % 4)));
    }
}

fn mix(state: &mut [u32; 3]) {
    let [mut a, mut b, mut c] = *state;
    for (x, y, z, turn) in [
        (0, 2, 1, 4),
        (1, 0, 2, 6),
        (2, 1, 0, 8),
        (0, 2, 1, 16),
        (1, 0, 2, 19),
        (2, 1, 0, 4),
    ] {
        let mut parts = [a, b, c];
        parts[x] = parts[x].wrapping_sub(parts[y]) ^ parts[y].rotate_left(turn);
        parts[y] = parts[y].wrapping_add(parts[z]);
        [a, b, c] = parts;
    }
    *state = [a, b, c];
}

fn last_mix(state: &mut [u32; 3]) {
    for (x, y, turn) in [
        (2, 1, 14),
        (0, 2, 11),
        (1, 0, 25),
        (2, 1, 16),
        (0, 2, 4),
        (1, 0, 14),
        (2, 1, 24),
    ] {
        state[x] = (state[x] ^ state[y]).wrapping_sub(state[y].rotate_left(turn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_that_hdf5_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.h5");
        let mut options = hdf5_metno::File::with_options();
        options.with_fapl(|access| access.libver_v110());
        let file = options.create(&path).unwrap();
        for name in ["a", "bc", "def"] {
            file.create_group(name).unwrap();
        }
        file.close().unwrap();
        let written = std::fs::read(&path).unwrap();
        let mut bytes = written.clone();
        let headers = (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(MARK))
            .count();
        assert!(headers >= 4);
        set_right(&mut bytes);
        assert!(bytes == written);
    }
}
