//! The lowest and the highest of many numbers, as fast as they can be read by the processor at hand.

use pulp::{Arch, Simd, WithSimd};

/// So many vectors are compared at once.
const LANES: usize = 4;
/// Only blocks that have a new extreme are looked at twice.
const BLOCK: usize = 256;
/// So many numbers are looked through at once for one of them.
const CHUNK: usize = 16;
/// Fewer numbers are compared one by one.
const FEW: usize = 64;

/// Where the lowest and the highest number of each of `parts` equal parts are, the first of equals; None if a number
/// is not finite, or a part has none.
pub(super) fn extremes(numbers: &[f64], parts: usize) -> Option<Vec<(usize, usize)>> {
    Arch::new().dispatch(Extremes { numbers, parts })
}

/// The lowest and the highest number; None if one is not finite.
pub(super) fn range(numbers: &[f64]) -> Option<(f64, f64)> {
    Arch::new().dispatch(Range(numbers))
}

struct Extremes<'a> {
    numbers: &'a [f64],
    parts: usize,
}

impl WithSimd for Extremes<'_> {
    type Output = Option<Vec<(usize, usize)>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut found = Vec::with_capacity(self.parts);
        for part in 0..self.parts {
            let [from, to] =
                [part, part + 1].map(|border| border * self.numbers.len() / self.parts);
            let numbers = &self.numbers[from..to];
            let (low, high) = match numbers.len() < FEW {
                true => of_few(numbers)?,
                false => of_many(simd, numbers)?,
            };
            found.push((from + low, from + high));
        }
        Some(found)
    }
}

struct Range<'a>(&'a [f64]);

impl WithSimd for Range<'_> {
    type Output = Option<(f64, f64)>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        range_of(simd, self.0)
    }
}

#[inline(always)]
fn of_few(numbers: &[f64]) -> Option<(usize, usize)> {
    let first = *numbers.first()?;
    let (mut low, mut high) = ((first, 0), (first, 0));
    // Zero times what is not finite is not a number.
    let mut zero = 0.0;
    for (place, number) in numbers.iter().enumerate() {
        zero += number * 0.0;
        if *number < low.0 {
            low = (*number, place);
        }
        if *number > high.0 {
            high = (*number, place);
        }
    }
    (zero == 0.0).then_some((low.1, high.1))
}

#[inline(always)]
fn of_many<S: Simd>(simd: S, numbers: &[f64]) -> Option<(usize, usize)> {
    let mut low = (f64::INFINITY, 0);
    let mut high = (f64::NEG_INFINITY, 0);
    for (number, block) in numbers.chunks(BLOCK).enumerate() {
        let (least, most) = range_of(simd, block)?;
        if least < low.0 {
            low = (least, number);
        }
        if most > high.0 {
            high = (most, number);
        }
    }
    let place = |(value, block): (f64, usize)| {
        let within = first(&numbers[block * BLOCK..], value);
        within.map(|place| block * BLOCK + place)
    };
    Some((place(low)?, place(high)?))
}

/// The place of the first number that equals `value`.
#[inline(always)]
fn first(numbers: &[f64], value: f64) -> Option<usize> {
    let (chunks, _) = numbers.as_chunks::<CHUNK>();
    let is_here = |chunk: &[f64; CHUNK]| chunk.iter().fold(false, |here, n| here | (*n == value));
    let start = CHUNK * chunks.iter().take_while(|chunk| !is_here(chunk)).count();
    let within = numbers[start..].iter().position(|n| *n == value)?;
    Some(start + within)
}

#[inline(always)]
fn range_of<S: Simd>(simd: S, numbers: &[f64]) -> Option<(f64, f64)> {
    let mut low = [simd.splat_f64s(f64::INFINITY); LANES];
    let mut high = [simd.splat_f64s(f64::NEG_INFINITY); LANES];
    let nothing = simd.splat_f64s(0.0);
    let mut zero = [nothing; LANES];
    let (vectors, rest) = S::as_simd_f64s(numbers);
    let (chunks, vectors) = pulp::as_arrays::<LANES, _>(vectors);
    let mut take = |lane: usize, vector| {
        low[lane] = simd.min_f64s(vector, low[lane]);
        high[lane] = simd.max_f64s(vector, high[lane]);
        zero[lane] = simd.mul_add_e_f64s(vector, nothing, zero[lane]);
    };
    for chunk in chunks {
        let lanes = chunk.iter().enumerate();
        lanes.for_each(|(lane, vector)| take(lane, *vector));
    }
    vectors.iter().for_each(|vector| take(0, *vector));
    let all = |lanes: [S::f64s; LANES], both: fn(S, S::f64s, S::f64s) -> S::f64s| {
        let [a, b, c, d] = lanes;
        both(simd, both(simd, a, b), both(simd, c, d))
    };
    let mut least = simd.reduce_min_f64s(all(low, S::min_f64s));
    let mut most = simd.reduce_max_f64s(all(high, S::max_f64s));
    let mut sum = simd.reduce_sum_f64s(all(zero, S::add_f64s));
    for number in rest {
        sum += number * 0.0;
        least = if *number < least { *number } else { least };
        most = if *number > most { *number } else { most };
    }
    (sum == 0.0 && least <= most).then_some((least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_extremes_is_found_wherever_it_is() {
        for length in [1, 7, 8, 63, 64, 255, 256, 257, 1000] {
            let numbers: Vec<f64> = (0..length).map(|n| f64::from(n * 7919 % 101)).collect();
            let first = |wanted: f64| numbers.iter().position(|n| *n == wanted);
            let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let found = first(least).zip(first(most)).unwrap();
            assert_eq!(extremes(&numbers, 1), Some(vec![found]), "{length}");
            assert_eq!(range(&numbers), Some((least, most)), "{length}");
        }
    }

    #[test]
    fn parts_follow_each_other() {
        let numbers: Vec<f64> = (0..1000).map(f64::from).collect();
        let found = extremes(&numbers, 3).unwrap();
        assert_eq!(found, [(0, 332), (333, 665), (666, 999)]);
        assert_eq!(extremes(&numbers[..2], 3), None);
    }

    #[test]
    fn what_is_not_finite_has_no_extremes() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for place in [0, 7, 8, 299] {
                let mut numbers = vec![1.0; 300];
                numbers[place] = number;
                assert_eq!(extremes(&numbers, 1), None, "{number} at {place}");
                assert_eq!(extremes(&numbers, 30), None, "{number} at {place}");
                assert_eq!(range(&numbers), None, "{number} at {place}");
            }
        }
        assert_eq!(extremes(&[], 1), None);
        assert_eq!(range(&[]), None);
    }
}
