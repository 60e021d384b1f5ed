//! How far the numbers of an array spread.

use runledger_context::value::{Array, Dtype};

use super::extremes::range;
use super::numbers::Numbers;

/// |largest − smallest| in double precision, without regard to NaN; None for fewer than two elements or for
/// what is no number. Complex numbers have no order: NumPy compares real parts first, and so do we.
pub(crate) fn spread(array: &Array) -> Option<f64> {
    match &array.dtype {
        Dtype::Plain(word) if word.contains('c') => of_complex(array),
        _ => of_real(array),
    }
}

fn of_real(array: &Array) -> Option<f64> {
    let numbers = several(array, |re, _| re)?;
    let nothing = (f64::INFINITY, f64::NEG_INFINITY);
    let (least, most) = numbers
        .parts(0..numbers.len())
        .map(|part| range(&part).unwrap_or_else(|| known(&part).fold(nothing, wider)))
        .fold(nothing, wider);
    Some(if least > most { f64::NAN } else { most - least })
}

fn known(numbers: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let known = numbers.iter().filter(|number| !number.is_nan());
    known.map(|number| (*number, *number))
}

fn wider(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

fn of_complex(array: &Array) -> Option<f64> {
    let (real, imaginary) = (several(array, |re, _| re)?, several(array, |_, im| im)?);
    let all = || 0..real.len();
    let pairs = || {
        let parts = real.parts(all()).zip(imaginary.parts(all()));
        parts.flat_map(|(re, im)| {
            let pairs = re.iter().copied().zip(im.iter().copied());
            pairs.collect::<Vec<_>>()
        })
    };
    let known = || pairs().filter(|(re, im)| !re.is_nan() && !im.is_nan());
    let order = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
    Some(match (known().min_by(order), known().max_by(order)) {
        (Some(least), Some(most)) => (most.0 - least.0).hypot(most.1 - least.1),
        _ => f64::NAN,
    })
}

fn several(array: &Array, of_complex: fn(f64, f64) -> f64) -> Option<Numbers<'_>> {
    let numbers = Numbers::of(array, of_complex).ok()?;
    (numbers.len() > 1).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dtype: &str, bytes: Vec<u8>) -> Option<f64> {
        let array = Array {
            dtype: Dtype::Plain(dtype.into()),
            shape: vec![bytes.len()],
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
