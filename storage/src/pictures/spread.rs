//! How far the numbers of an array spread.

use runledger_context::value::{Array, Dtype};

use super::large::pieces;
use super::numbers::numbers;

/// Real and imaginary part.
type Number = (f64, f64);

/// |largest − smallest| in double precision, without regard to NaN; None for fewer than two elements or for
/// what is no number. Complex numbers have no order: NumPy compares real parts first, and so do we.
pub(crate) fn spread(array: &Array) -> Option<f64> {
    if array.shape.iter().product::<usize>() < 2 {
        return None;
    }
    let mut ends: Option<[Number; 2]> = None;
    for piece in pieces(array) {
        let found = ends_of(&piece.ok()?).ok()?;
        ends = match (ends, found) {
            (Some([a, b]), Some([c, d])) => Some([least(a, c), most(b, d)]),
            (known, found) => known.or(found),
        };
    }
    Some(match ends {
        Some([least, most]) => (most.0 - least.0).hypot(most.1 - least.1),
        None => f64::NAN,
    })
}

/// The smallest and the largest; None where there is no number but NaN.
fn ends_of(array: &Array) -> Result<Option<[Number; 2]>, String> {
    let real = numbers(array, |re, _| re)?;
    let imaginary = match &array.dtype {
        Dtype::Plain(word) if word.contains('c') => numbers(array, |_, im| im)?,
        _ => Vec::new(),
    };
    let all = (0..real.len()).map(|at| (real[at], imaginary.get(at).copied().unwrap_or(0.0)));
    let known = || all.clone().filter(|(re, im)| !re.is_nan() && !im.is_nan());
    Ok(known()
        .reduce(least)
        .zip(known().reduce(most))
        .map(|(least, most)| [least, most]))
}

fn is_less(a: Number, b: Number) -> bool {
    a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).is_lt()
}

fn least(a: Number, b: Number) -> Number {
    if is_less(b, a) { b } else { a }
}

fn most(a: Number, b: Number) -> Number {
    if is_less(a, b) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dtype: &str, bytes: Vec<u8>) -> Option<f64> {
        let array = Array {
            dtype: Dtype::Plain(dtype.into()),
            shape: vec![bytes.len() / dtype[2..].parse::<usize>().unwrap()],
            bytes: bytes.into(),
        };
        spread(&array)
    }

    #[test]
    fn small_integers_do_not_overflow() {
        assert_eq!(of("|i1", vec![0x80, 0x7f]), Some(255.0));
    }

    #[test]
    fn booleans_spread_when_both_occur() {
        assert_eq!(of("|b1", vec![0, 1, 0]), Some(1.0));
        assert_eq!(of("|b1", vec![1, 1]), Some(0.0));
    }

    #[test]
    fn nan_is_passed_over_and_one_element_has_no_spread() {
        let bytes = |all: &[f64]| all.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(of("<f8", bytes(&[1.0, f64::NAN, -2.0])), Some(3.0));
        assert_eq!(of("<f8", bytes(&[1.0])), None);
        assert!(of("<f8", bytes(&[f64::NAN, f64::NAN])).is_some_and(f64::is_nan));
    }
}
