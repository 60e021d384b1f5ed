//! An array's elements as double precision numbers.

use half::f16;
use runledger_context::value::{Array, Dtype};

/// The elements, in C order; complex numbers by `of_complex` (real and imaginary part).
///
/// # Errors
/// The array has no numbers.
pub(super) fn numbers(array: &Array, of_complex: fn(f64, f64) -> f64) -> Result<Vec<f64>, String> {
    let Dtype::Plain(word) = &array.dtype else {
        return Err("structures are no numbers".into());
    };
    let big = word.starts_with('>');
    let bytes = array.bytes.in_memory().ok_or("too many numbers to hold")?;
    Ok(match word.trim_start_matches(['<', '>', '|', '=']) {
        "b1" => bytes.iter().map(|b| f64::from(u8::from(*b != 0))).collect(),
        "i1" => bytes.iter().map(|b| f64::from(b.cast_signed())).collect(),
        "u1" => bytes.iter().map(|b| f64::from(*b)).collect(),
        "i2" => each(bytes, big, |b| f64::from(i16::from_le_bytes(b))),
        "u2" => each(bytes, big, |b| f64::from(u16::from_le_bytes(b))),
        "i4" => each(bytes, big, |b| f64::from(i32::from_le_bytes(b))),
        "u4" => each(bytes, big, |b| f64::from(u32::from_le_bytes(b))),
        "i8" => each(bytes, big, |b| nearest(i128::from(i64::from_le_bytes(b)))),
        "u8" => each(bytes, big, |b| nearest(i128::from(u64::from_le_bytes(b)))),
        "f2" => each(bytes, big, |b| f16::from_le_bytes(b).to_f64()),
        "f4" => each(bytes, big, |b| f64::from(f32::from_le_bytes(b))),
        "f8" => each(bytes, big, f64::from_le_bytes),
        "f16" if !big => each(bytes, big, extended),
        "c8" => pairs(
            &each(bytes, big, |b| f64::from(f32::from_le_bytes(b))),
            of_complex,
        ),
        "c16" => pairs(&each(bytes, big, f64::from_le_bytes), of_complex),
        "c32" if !big => pairs(&each(bytes, big, extended), of_complex),
        other => return Err(format!("{other} are no numbers")),
    })
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

fn pairs(parts: &[f64], of_complex: fn(f64, f64) -> f64) -> Vec<f64> {
    let (pairs, _) = parts.as_chunks::<2>();
    pairs.iter().map(|[re, im]| of_complex(*re, *im)).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest double is what is drawn"
)]
fn nearest(number: i128) -> f64 {
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
        _ => nearest(significand.into()) * 2_f64.powi(exponent - 16383 - 63),
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
    }
}
