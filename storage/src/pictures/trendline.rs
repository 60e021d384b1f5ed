//! A line with few points that looks like the whole one.
//!
//! MinMaxLTTB keeps the ends and the extremes: J. Van Der Donckt et al., "MinMaxLTTB: Leveraging MinMax-Preselection
//! to Scale LTTB in Visualization", IEEE VIS 2023.

use minmaxlttb::{LttbBuilder, LttbMethod, Point};
use runledger_context::value::{Array, Dtype};

use super::numbers::numbers;

/// A line of up to this many points is kept whole.
const WHOLE: usize = 239;
/// How many points are left of a longer one.
const KEPT: usize = 150;
/// Candidates for each point that is kept.
const CANDIDATES: usize = 4;

/// Shape (2, N), float64: x and y, sorted by x, where y is finite. `x` of None counts from 0.
///
/// # Errors
/// There are no numbers, or not as many x as y.
pub(super) fn trendline(x: Option<&Array>, y: &Array) -> Result<Array, String> {
    let real = |re, _| re;
    let y = numbers(y, real)?;
    let x = match x {
        Some(x) => numbers(x, real)?,
        None => counted(y.len()),
    };
    if x.len() != y.len() {
        return Err(format!("{} positions for {} values", x.len(), y.len()));
    }
    let mut points: Vec<Point> = x
        .into_iter()
        .zip(y)
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .map(|(x, y)| Point::new(x, y))
        .collect();
    points.sort_by(|a, b| a.x().total_cmp(&b.x()));
    if points.len() > WHOLE {
        points = thinned(&points)?;
    }
    Ok(line(&points))
}

#[expect(clippy::cast_precision_loss, reason = "no line has 2^53 points")]
fn counted(length: usize) -> Vec<f64> {
    (0..length).map(|n| n as f64).collect()
}

fn thinned(points: &[Point]) -> Result<Vec<Point>, String> {
    let way = LttbBuilder::new()
        .threshold(KEPT)
        .method(LttbMethod::MinMax)
        .ratio(CANDIDATES)
        .build();
    let mut kept = way.downsample(points).map_err(|error| error.to_string())?;
    // The one lowest and highest point are what people look for.
    let by_y = |a: &&Point, b: &&Point| a.y().total_cmp(&b.y());
    for extreme in [points.iter().min_by(by_y), points.iter().max_by(by_y)]
        .into_iter()
        .flatten()
    {
        let place = kept.partition_point(|point| point.x() < extreme.x());
        let is_there = kept[place..]
            .iter()
            .take_while(|point| point.x() <= extreme.x())
            .any(|point| point.y() == extreme.y());
        if !is_there {
            kept.insert(place, *extreme);
        }
    }
    Ok(kept)
}

fn line(points: &[Point]) -> Array {
    let all = points
        .iter()
        .map(Point::x)
        .chain(points.iter().map(Point::y));
    let bytes: Vec<u8> = all.flat_map(f64::to_le_bytes).collect();
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: vec![2, points.len()],
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
        let all = numbers(&line, |re, _| re).unwrap();
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
