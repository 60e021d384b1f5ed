//! A line with few points that looks like the whole one: its ends, and the lowest and highest point of each of
//! many parts. What lies between those would be drawn on the same pixels.

use std::borrow::Cow;

use runledger_context::value::{Array, Dtype};

use super::extremes::extremes;
use super::numbers::Numbers;

/// A line of up to this many points is kept whole.
const WHOLE: usize = 239;
/// A longer one is kept as the extremes of so many parts.
const PARTS: usize = 75;

/// Shape (2, N), float64: x and y, sorted by x, where y is finite. `x` of None counts from 0.
///
/// # Errors
/// There are no numbers, or not as many x as y.
pub(super) fn trendline(x: Option<&Array>, y: &Array) -> Result<Array, String> {
    let real = |re, _| re;
    let y = Numbers::of(y, real)?.all();
    let x = x.map(|x| Numbers::of(x, real)).transpose()?;
    let x = x.as_ref().map(Numbers::all);
    if let Some(x) = &x
        && x.len() != y.len()
    {
        return Err(format!("{} positions for {} values", x.len(), y.len()));
    }
    if x.is_none()
        && let Some(places) = kept(&y)
    {
        return Ok(drawn(&places, counted, &y));
    }
    let (x, y) = finite_and_sorted(x, &y);
    let places = kept(&y).unwrap_or_default();
    Ok(drawn(&places, |place| x[place], &y))
}

/// Whether a summary of somebody's own making is the points of a line, x above y: x goes one way. Any other two rows are
/// a small matrix, also those that could be two points.
pub(super) fn is_line(array: &Array) -> bool {
    let (Dtype::Plain(word), &[2, points]) = (&array.dtype, array.shape.as_slice()) else {
        return false;
    };
    let may_be = points > 2 && !word.contains(['c', 'b']);
    may_be && Numbers::of(array, |re, _| re).is_ok_and(|all| goes_one_way(&all.all()[..points]))
}

fn goes_one_way(x: &[f64]) -> bool {
    let is_finite = x.iter().all(|value| value.is_finite());
    is_finite && (x.is_sorted() || x.iter().rev().is_sorted())
}

/// The places of the points that are kept; None where a value is not finite.
fn kept(y: &[f64]) -> Option<Vec<usize>> {
    if y.len() <= WHOLE {
        let is_finite = y.iter().all(|value| value.is_finite());
        return is_finite.then(|| (0..y.len()).collect());
    }
    let mut places = Vec::with_capacity(2 * PARTS + 2);
    places.push(0);
    for (low, high) in extremes(y, PARTS)? {
        places.extend([low.min(high), low.max(high)]);
    }
    places.push(y.len() - 1);
    places.dedup();
    Some(places)
}

#[expect(clippy::cast_precision_loss, reason = "no line has 2^53 points")]
fn counted(place: usize) -> f64 {
    place as f64
}

fn finite_and_sorted(x: Option<Cow<'_, [f64]>>, y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let x = x.unwrap_or_else(|| (0..y.len()).map(counted).collect());
    let mut points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    points.retain(|(x, y)| x.is_finite() && y.is_finite());
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.into_iter().unzip()
}

fn drawn(places: &[usize], x: impl Fn(usize) -> f64, y: &[f64]) -> Array {
    let x = places.iter().map(|place| x(*place));
    let y = places.iter().map(|place| y[*place]);
    let mut bytes = Vec::with_capacity(2 * places.len() * size_of::<f64>());
    x.chain(y)
        .for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: vec![2, places.len()],
        bytes: bytes.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(all: &[f64]) -> Array {
        Array {
            dtype: Dtype::Plain("<f8".into()),
            shape: vec![all.len()],
            bytes: all
                .iter()
                .flat_map(|n| n.to_le_bytes())
                .collect::<Vec<u8>>()
                .into(),
        }
    }

    /// x and y of a line.
    fn drawn(x: Option<&[f64]>, y: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let line = trendline(x.map(array).as_ref(), &array(y)).unwrap();
        let all = Numbers::of(&line, |re, _| re).unwrap().all();
        let (x, y) = all.split_at(all.len() / 2);
        (x.to_vec(), y.to_vec())
    }

    #[test]
    fn a_short_line_is_kept_whole_and_sorted() {
        assert_eq!(
            drawn(Some(&[2.0, 1.0, 3.0]), &[20.0, 10.0, 30.0]),
            (vec![1.0, 2.0, 3.0], vec![10.0, 20.0, 30.0])
        );
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        assert_eq!(
            drawn(None, &[1.0, f64::NAN, f64::INFINITY, 4.0]),
            (vec![0.0, 3.0], vec![1.0, 4.0])
        );
    }

    #[test]
    fn two_rows_are_a_line_only_if_the_first_can_be_its_x() {
        let rows = |points: usize, all: &[f64]| Array {
            shape: vec![2, points],
            ..array(all)
        };
        assert!(is_line(&rows(3, &[0.0, 1.0, 2.0, 7.0, 5.0, 6.0])));
        assert!(is_line(&rows(3, &[2.0, 1.0, 0.0, 7.0, 5.0, 6.0])));
        for no_line in [
            rows(3, &[1.0, 0.3, 0.5, 7.0, 8.0, 9.0]),
            rows(3, &[0.0, f64::NAN, 2.0, 7.0, 8.0, 9.0]),
            rows(2, &[1.0, 2.0, 3.0, 4.0]),
            rows(0, &[]),
            array(&[0.0, 1.0]),
        ] {
            assert!(!is_line(&no_line), "{no_line:?}");
        }
        let of = |dtype: &str, bytes: &'static [u8]| Array {
            dtype: Dtype::Plain(dtype.into()),
            shape: vec![2, 3],
            bytes: bytes.to_vec().into(),
        };
        assert!(is_line(&of("|u1", &[0, 1, 2, 9, 8, 7])));
        assert!(!is_line(&of("|b1", &[0, 1, 1, 0, 0, 1])));
    }

    #[test]
    fn an_empty_line_has_no_points() {
        assert_eq!(trendline(None, &array(&[])).unwrap().shape, [2, 0]);
    }

    #[test]
    fn a_long_line_keeps_its_ends_and_its_extremes() {
        let mut y: Vec<f64> = (0..100_000).map(|n| (f64::from(n) / 500.0).sin()).collect();
        y[31_415] = 9.0;
        y[77_777] = -9.0;
        let (x, kept) = drawn(None, &y);
        assert!((100..=200).contains(&x.len()), "{} points", x.len());
        assert_eq!((x[0], x[x.len() - 1]), (0.0, 99_999.0));
        assert!(kept.contains(&9.0) && kept.contains(&-9.0));
        assert!(x.is_sorted());
    }
}
