//! An array's elements as double precision numbers.

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use half::f16;
use runledger_context::Bytes;
use runledger_context::value::{Array, Dtype};
use tracing::warn;

/// NumPy's names of the types that are numbers, without the byte order, and the bytes of an element.
const KINDS: [(&str, usize); 16] = [
    ("b1", 1),
    ("i1", 1),
    ("u1", 1),
    ("i2", 2),
    ("u2", 2),
    ("i4", 4),
    ("u4", 4),
    ("i8", 8),
    ("u8", 8),
    ("f2", 2),
    ("f4", 4),
    ("f8", 8),
    ("f16", 16),
    ("c8", 8),
    ("c16", 16),
    ("c32", 32),
];

/// How many are decoded at once: so many stay in the processor's cache.
const AT_ONCE: usize = 1 << 12;

/// The elements of an array, in C order; complex numbers by a function of their real and imaginary part.
pub(super) struct Numbers<'a> {
    bytes: &'a Bytes,
    /// Bytes of each element.
    width: usize,
    big_endian: bool,
    /// NumPy's name of their type, without the byte order.
    kind: &'a str,
    of_complex: fn(f64, f64) -> f64,
}

impl<'a> Numbers<'a> {
    /// # Errors
    /// The array has no numbers.
    pub(super) fn of(array: &'a Array, of_complex: fn(f64, f64) -> f64) -> Result<Self, String> {
        let Dtype::Plain(word) = &array.dtype else {
            return Err("structures are no numbers".into());
        };
        let kind = word.trim_start_matches(['<', '>', '|', '=']);
        let (_, width) = KINDS
            .iter()
            .find(|(known, _)| *known == kind)
            .ok_or_else(|| format!("{kind} are no numbers"))?;
        let big_endian = word.starts_with('>');
        if big_endian && ["f16", "c32"].contains(&kind) {
            return Err(format!("{word} are no numbers that are known here"));
        }
        Ok(Self {
            bytes: &array.bytes,
            width: *width,
            big_endian,
            kind,
            of_complex,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    pub(super) fn all(&self) -> Cow<'a, [f64]> {
        self.part(0..self.len())
    }

    /// A part of them, without a copy where they are this machine's doubles.
    pub(super) fn part(&self, elements: Range<usize>) -> Cow<'a, [f64]> {
        let bytes = match self.raw(&elements) {
            Ok(Cow::Borrowed(bytes)) => bytes,
            Ok(Cow::Owned(bytes)) => return Cow::Owned(self.decoded(&bytes)),
            Err(why) => {
                warn!("a part of a large result cannot be read and is not drawn: {why}");
                return Cow::Owned(vec![f64::NAN; elements.len()]);
            }
        };
        if self.kind == "f8"
            && self.big_endian == cfg!(target_endian = "big")
            && let Ok(doubles) = bytemuck::try_cast_slice(bytes)
        {
            return Cow::Borrowed(doubles);
        }
        Cow::Owned(self.decoded(bytes))
    }

    /// Some of them, one part after the other: in all they may be more than fits into memory a second time.
    pub(super) fn parts(&self, all: Range<usize>) -> impl Iterator<Item = Cow<'a, [f64]>> {
        let end = all.end;
        let starts = all.step_by(AT_ONCE);
        starts.map(move |start| self.part(start..end.min(start + AT_ONCE)))
    }

    fn raw(&self, elements: &Range<usize>) -> io::Result<Cow<'a, [u8]>> {
        let width = self.width;
        self.bytes
            .part(elements.start * width, elements.len() * width)
    }

    fn decoded(&self, bytes: &[u8]) -> Vec<f64> {
        let big = self.big_endian;
        match self.kind {
            "b1" => bytes.iter().map(|b| f64::from(u8::from(*b != 0))).collect(),
            "i1" => bytes.iter().map(|b| f64::from(b.cast_signed())).collect(),
            "u1" => bytes.iter().map(|b| f64::from(*b)).collect(),
            "i2" => each(bytes, big, |b| f64::from(i16::from_le_bytes(b))),
            "u2" => each(bytes, big, |b| f64::from(u16::from_le_bytes(b))),
            "i4" => each(bytes, big, |b| f64::from(i32::from_le_bytes(b))),
            "u4" => each(bytes, big, |b| f64::from(u32::from_le_bytes(b))),
            "i8" => each(bytes, big, |b| nearest(i64::from_le_bytes(b))),
            "u8" => each(bytes, big, |b| nearest_unsigned(u64::from_le_bytes(b))),
            "f2" => each(bytes, big, |b| f16::from_le_bytes(b).to_f64()),
            "f4" => each(bytes, big, |b| f64::from(f32::from_le_bytes(b))),
            "f16" => each(bytes, big, extended),
            "c8" => self.pairs(&each(bytes, big, |b| f64::from(f32::from_le_bytes(b)))),
            "c16" => self.pairs(&each(bytes, big, f64::from_le_bytes)),
            "c32" => self.pairs(&each(bytes, big, extended)),
            _ => each(bytes, big, f64::from_le_bytes),
        }
    }

    fn pairs(&self, parts: &[f64]) -> Vec<f64> {
        let (pairs, _) = parts.as_chunks::<2>();
        pairs
            .iter()
            .map(|[re, im]| (self.of_complex)(*re, *im))
            .collect()
    }
}

fn each<const N: usize>(bytes: &[u8], big: bool, number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (chunks, _) = bytes.as_chunks::<N>();
    let turned = |chunk: &[u8; N]| {
        let mut chunk = *chunk;
        if big {
            chunk.reverse();
        }
        number(chunk)
    };
    chunks.iter().map(turned).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest double is what is drawn"
)]
fn nearest(number: i64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest double is what is drawn"
)]
fn nearest_unsigned(number: u64) -> f64 {
    number as f64
}

/// x87 extended precision in 16 bytes: 64 bits of significand with the leading one written out, then 15 of
/// exponent (bias 16383) and the sign.
fn extended(bytes: [u8; 16]) -> f64 {
    let significand = u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ]);
    let top = u16::from_le_bytes([bytes[8], bytes[9]]);
    let exponent = i32::from(top & 0x7fff);
    let size = match exponent {
        0x7fff if significand << 1 == 0 => f64::INFINITY,
        0x7fff => f64::NAN,
        _ => nearest_unsigned(significand) * 2_f64.powi(exponent - 16383 - 63),
    };
    if top & 0x8000 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dtype: &str, bytes: &[u8]) -> Array {
        Array {
            dtype: Dtype::Plain(dtype.into()),
            shape: vec![],
            bytes: bytes.to_vec().into(),
        }
    }

    fn numbers(array: &Array, of_complex: fn(f64, f64) -> f64) -> Result<Vec<f64>, String> {
        Numbers::of(array, of_complex).map(|all| all.all().into_owned())
    }

    #[test]
    fn every_kind_of_number_is_read_in_its_byte_order() {
        let real = |re, _| re;
        assert_eq!(numbers(&array(">i2", &[1, 0]), real), Ok(vec![256.0]));
        assert_eq!(
            numbers(&array("<u8", &[255; 8]), real),
            Ok(vec![18_446_744_073_709_551_615.0])
        );
        assert_eq!(numbers(&array("<f2", &[0, 0x3e]), real), Ok(vec![1.5]));
        let complex: Vec<u8> = [3_f32, -4.0]
            .iter()
            .flat_map(|part| part.to_le_bytes())
            .collect();
        assert_eq!(numbers(&array("<c8", &complex), f64::hypot), Ok(vec![5.0]));
        // 1.5 in extended precision
        let long = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0x3f, 0, 0, 0, 0, 0, 0];
        assert_eq!(numbers(&array("<f16", &long), real), Ok(vec![1.5]));
        assert!(numbers(&array("|S5", b"hello"), real).is_err());
        assert!(numbers(&array(">f16", &[0; 16]), real).is_err());
    }

    #[test]
    fn a_part_is_what_it_is_of_the_whole() {
        let bytes: Vec<u8> = (0..40).collect();
        let real = |re, _| re;
        for (kind, _) in KINDS {
            let array = array(&format!("<{kind}"), &bytes[..32]);
            let all = Numbers::of(&array, real).unwrap();
            let (whole, middle) = (all.all(), all.part(1..all.len()));
            assert!(middle.iter().eq(&whole[1..]), "{kind}");
        }
    }
}
