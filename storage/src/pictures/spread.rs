//! How far the numbers of an array spread.

use runledger_context::value::Array;

use super::numbers::numbers;

/// |largest − smallest| in double precision, without regard to NaN; None for fewer than two elements or for
/// what is no number. Of complex numbers, which have no order, NumPy compares real parts first: so do we.
pub(crate) fn spread(array: &Array) -> Option<f64> {
    let all = numbers(array, |re, _| re)
        .ok()
        .filter(|all| all.len() > 1)?;
    let known = || all.iter().copied().filter(|number| !number.is_nan());
    let (least, most) = (known().reduce(f64::min), known().reduce(f64::max));
    Some(match (least, most) {
        (Some(least), Some(most)) => (most - least).abs(),
        _ => f64::NAN,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_context::value::Dtype;

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
