//! The lowest and the highest of many numbers, as fast as they can be read.

/// So many are compared at once.
const LANES: usize = 4;
/// Only blocks that have a new extreme are looked at twice.
const BLOCK: usize = 64 * LANES;

/// Where the lowest and the highest number are, the first of equals; None if a number is not finite, or there is none.
pub(super) fn extremes(numbers: &[f64]) -> Option<(usize, usize)> {
    let mut low = (f64::INFINITY, 0);
    let mut high = (f64::NEG_INFINITY, 0);
    for (number, block) in numbers.chunks(BLOCK).enumerate() {
        let (least, most) = range(block)?;
        if least < low.0 {
            low = (least, number);
        }
        if most > high.0 {
            high = (most, number);
        }
    }
    let place = |(value, block): (f64, usize)| {
        let within = numbers[block * BLOCK..].iter().position(|n| *n == value);
        within.map(|place| block * BLOCK + place)
    };
    Some((place(low)?, place(high)?))
}

/// The lowest and the highest number; None if one is not finite.
pub(super) fn range(numbers: &[f64]) -> Option<(f64, f64)> {
    let mut low = [f64::INFINITY; LANES];
    let mut high = [f64::NEG_INFINITY; LANES];
    // Zero times what is not finite is not a number.
    let mut zero = [0.0; LANES];
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            low[lane] = lesser(low[lane], chunk[lane]);
            high[lane] = greater(high[lane], chunk[lane]);
            zero[lane] += chunk[lane] * 0.0;
        }
    }
    let least = low.iter().chain(rest).copied().reduce(lesser)?;
    let most = high.iter().chain(rest).copied().reduce(greater)?;
    let is_finite = zero.iter().sum::<f64>() == 0.0 && rest.iter().all(|n| n.is_finite());
    is_finite.then_some((least, most))
}

/// `f64::min` has to treat NaN, which takes several instructions.
fn lesser(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

fn greater(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_extremes_is_found_wherever_it_is() {
        for length in [1, 7, 8, 255, 256, 257, 1000] {
            let numbers: Vec<f64> = (0..length).map(|n| f64::from(n * 7919 % 101)).collect();
            let first = |wanted: f64| numbers.iter().position(|n| *n == wanted);
            let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let found = first(least).zip(first(most));
            assert_eq!(extremes(&numbers), found, "{length}");
        }
    }

    #[test]
    fn what_is_not_finite_has_no_extremes() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for place in [0, 7, 8, 299] {
                let mut numbers = vec![1.0; 300];
                numbers[place] = number;
                assert_eq!(extremes(&numbers), None, "{number} at {place}");
            }
        }
        assert_eq!(extremes(&[]), None);
    }
}
