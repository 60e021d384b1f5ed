//! Quantiles of many numbers, without sorting or copying them all.
//!
//! A sample says where a quantile about is. One pass then counts what lies below, and keeps what is so near that it
//! may be the quantile itself: the result is exact.

use std::ops::Range;

use super::cores::in_parts;
use super::numbers::Numbers;

/// Up to so many numbers are simply all looked at.
const FEW: usize = 1 << 14;
/// How many numbers are in the sample.
const SAMPLE: usize = 1 << 12;
/// 2^64 divided by it.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
/// How far from its place in the sample a quantile may be, in standard deviations of that place.
const MARGIN: f64 = 5.0;
/// So many numbers are compared at once.
const COMPARED: usize = 8;

/// The quantiles for two parts, the lower first, from 0 to 1; between two elements in proportion, as
/// `numpy.quantile` does by default. What is not finite counts as [`finite`] says. There must be a number.
pub(super) fn quantiles(numbers: &Numbers<'_>, parts: [f64; 2]) -> [f64; 2] {
    let quick = (numbers.len() > FEW).then(|| from_near(numbers, parts));
    quick.flatten().unwrap_or_else(|| {
        let mut all: Vec<f64> = numbers.all().iter().copied().map(finite).collect();
        parts.map(|part| Place::of(part, all.len()).value(&mut all))
    })
}

/// As `numpy.nan_to_num` has it.
pub(super) fn finite(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(f64::MIN, f64::MAX)
    }
}

/// Where a quantile is among sorted numbers.
#[derive(Clone, Copy)]
struct Place {
    below: usize,
    /// How far it is on the way to the next one.
    fraction: f64,
}

impl Place {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in an array"
    )]
    fn of(part: f64, length: usize) -> Self {
        let place = part * (length - 1) as f64;
        Self {
            below: place.floor() as usize,
            fraction: place.fract(),
        }
    }

    /// The quantile of `values`, which it puts into another order.
    fn value(self, values: &mut [f64]) -> f64 {
        let (_, low, rest) = values.select_nth_unstable_by(self.below, f64::total_cmp);
        let low = *low;
        let high = rest.iter().copied().reduce(f64::min).unwrap_or(low);
        low + (high - low) * self.fraction
    }
}

/// What is known of a quantile while the numbers are read.
struct Near {
    /// It is between these, both included, if the sample is good.
    bounds: [f64; 2],
    /// How many numbers are below the bounds, and those that are within.
    below: usize,
    within: Vec<f64>,
}

impl Near {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "places in an array"
    )]
    fn guessed(sorted: &[f64], part: f64) -> Self {
        let last = (sorted.len() - 1) as f64;
        let margin = MARGIN * (last * part * (1.0 - part)).sqrt();
        let bound = |place: f64| sorted[place.clamp(0.0, last) as usize];
        Self {
            bounds: [
                bound(part * last - margin),
                bound(part * last + margin + 1.0),
            ],
            below: 0,
            within: Vec::new(),
        }
    }

    fn take(&mut self, value: f64) {
        if value < self.bounds[0] {
            self.below += 1;
        } else if value <= self.bounds[1] {
            self.within.push(value);
        }
    }

    /// What two parts of the numbers say.
    fn together(all: [Self; 2], others: [Self; 2]) -> [Self; 2] {
        let mut others = others.into_iter();
        all.map(|mut near| {
            if let Some(mut other) = others.next() {
                near.below += other.below;
                near.within.append(&mut other.within);
            }
            near
        })
    }

    /// None if the sample has led astray.
    fn quantile(mut self, place: Place) -> Option<f64> {
        let below = place.below.checked_sub(self.below)?;
        // The next one must be here, too.
        let is_here = below + 1 < self.within.len();
        is_here.then(|| Place { below, ..place }.value(&mut self.within))
    }
}

fn from_near(numbers: &Numbers<'_>, parts: [f64; 2]) -> Option<[f64; 2]> {
    let sample = sample(numbers);
    let near = || parts.map(|part| Near::guessed(&sample, part));
    let found = in_parts(numbers.len(), numbers.len(), |range| {
        counted(numbers, range, near())
    });
    let [low, high] = found.into_iter().fold(near(), Near::together);
    let [low_place, high_place] = parts.map(|part| Place::of(part, numbers.len()));
    Some([low.quantile(low_place)?, high.quantile(high_place)?])
}

/// What a part of the numbers says of two quantiles.
fn counted(
    numbers: &Numbers<'_>,
    range: Range<usize>,
    [mut low, mut high]: [Near; 2],
) -> [Near; 2] {
    let (from, to) = (low.bounds[1], high.bounds[0]);
    for part in numbers.parts(range) {
        let (chunks, rest) = part.as_chunks::<COMPARED>();
        for chunk in chunks {
            // Most are between the two quantiles and need no closer look.
            let is_between = |all, n: &f64| all & (*n > from) & (*n < to);
            if chunk.iter().fold(true, is_between) {
                high.below += COMPARED;
            } else {
                take(chunk, &mut low, &mut high);
            }
        }
        take(rest, &mut low, &mut high);
    }
    [low, high]
}

fn take(values: &[f64], low: &mut Near, high: &mut Near) {
    for value in values.iter().copied().map(finite) {
        low.take(value);
        high.take(value);
    }
}

/// Some of the numbers, from everywhere, sorted.
fn sample(numbers: &Numbers<'_>) -> Vec<f64> {
    let mut sample: Vec<f64> = (1..=SAMPLE as u64)
        .map(|number| {
            // Multiples of the golden ratio, without their whole part: evenly spread, in step with no row.
            let part = number.wrapping_mul(GOLDEN_RATIO);
            let place = ((u128::from(part) * numbers.len() as u128) >> u64::BITS) as usize;
            finite(numbers.part(place..place + 1)[0])
        })
        .collect();
    sample.sort_unstable_by(f64::total_cmp);
    sample
}

#[cfg(test)]
mod tests {
    use runledger_context::value::{Array, Dtype};

    use super::*;

    fn array(values: &[f64]) -> Array {
        let bytes: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
        Array {
            dtype: Dtype::Plain("<f8".into()),
            shape: vec![values.len()],
            bytes: bytes.into(),
        }
    }

    fn found(values: &[f64]) -> [f64; 2] {
        let array = array(values);
        quantiles(&Numbers::of(&array, f64::hypot).unwrap(), [0.01, 0.99])
    }

    /// By sorting.
    fn expected(values: &[f64]) -> [f64; 2] {
        let mut sorted: Vec<f64> = values.iter().copied().map(finite).collect();
        sorted.sort_by(f64::total_cmp);
        [0.01, 0.99].map(|part| {
            let Place { below, fraction } = Place::of(part, sorted.len());
            let next = sorted[(below + 1).min(sorted.len() - 1)];
            sorted[below] + (next - sorted[below]) * fraction
        })
    }

    #[test]
    fn quantiles_lie_between_elements_as_in_numpy() {
        let values: Vec<f64> = (0..11).rev().map(f64::from).collect();
        let [low, high] = found(&values);
        assert!((low - 0.1).abs() < 1e-12 && (high - 9.9).abs() < 1e-12);
        assert_eq!(found(&[3.0]), [3.0, 3.0]);
    }

    #[test]
    fn many_numbers_have_the_same_quantiles_as_sorted() {
        let many = |number: fn(u32) -> f64| (0..100_003).map(number).collect::<Vec<f64>>();
        let mixed = |n: u32| f64::from(n.wrapping_mul(2_654_435_761) >> 8);
        let cases = [
            many(mixed),
            many(f64::from),
            many(|_| 7.0),
            // Few are not zero.
            many(|n| if n % 50 == 0 { f64::from(n) } else { 0.0 }),
            many(|n| {
                if n % 10 == 0 {
                    f64::NAN
                } else {
                    f64::from(n) - 50_000.0
                }
            }),
            many(|n| {
                if n < 5_000 {
                    f64::INFINITY
                } else {
                    f64::from(n)
                }
            }),
            many(|n| if n < 99_000 { 1.0 } else { f64::from(n) }),
        ];
        for values in cases {
            assert_eq!(found(&values), expected(&values));
        }
        let array = array(&many(mixed));
        let numbers = Numbers::of(&array, f64::hypot).unwrap();
        assert!(from_near(&numbers, [0.01, 0.99]).is_some());
    }
}
