//! Results that wait in a file because they are large: what can be held of them and looks the same.

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use runledger_context::Bytes;
use runledger_context::value::{Array, Dtype};

use super::numbers::Numbers;

/// A line is looked at in so many parts, or more where they would be large.
const PARTS: usize = 1000;
/// The bytes of a part.
const PART: usize = 4 << 20;
/// A picture of so many bytes is read and held as it is.
const WHOLE: usize = 16 << 20;
/// A larger one is held with up to so many elements along each side: several for each pixel of a thumbnail.
const SIDE: usize = 1200;

type Made<T> = Result<T, String>;

/// A line with the first, lowest, highest and last point of each of many parts, where it is too large to be held.
pub(super) fn line(x: Option<&Array>, y: &Array) -> Made<(Option<Array>, Array)> {
    let is_held = |array: &Array| array.bytes.in_memory().is_some();
    if is_held(y) && x.is_none_or(is_held) {
        return Ok((x.cloned(), y.clone()));
    }
    let parts = PARTS.max(y.bytes.len() / PART);
    let real = |re, _| re;
    let y = Numbers::of(y, real)?;
    let x = x.map(|x| Numbers::of(x, real)).transpose()?;
    let mut kept = Vec::new();
    for part in 0..parts {
        let [from, to] = [part, part + 1].map(|border| border * y.len() / parts);
        kept.extend(outline(points(x.as_ref(), &y, from..to)));
    }
    let (x, y): (Vec<f64>, Vec<f64>) = kept.into_iter().unzip();
    Ok((Some(held(&x)), held(&y)))
}

/// The points of a part that can be drawn.
fn points(x: Option<&Numbers<'_>>, y: &Numbers<'_>, bounds: Range<usize>) -> Vec<(f64, f64)> {
    let x = match x {
        Some(x) => x.part(bounds.clone()),
        None => bounds.clone().map(counted).collect(),
    };
    let y = y.part(bounds);
    let points = x.iter().copied().zip(y.iter().copied());
    points
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "no line has 2^53 points")]
fn counted(place: usize) -> f64 {
    place as f64
}

/// The first, lowest, highest and last point, in the order in which they are.
fn outline(points: Vec<(f64, f64)>) -> impl Iterator<Item = (f64, f64)> {
    let by_height = |a: &usize, b: &usize| points[*a].1.total_cmp(&points[*b].1);
    let mut places: Vec<usize> = [
        (!points.is_empty()).then_some(0),
        (0..points.len()).min_by(by_height),
        (0..points.len()).max_by(by_height),
        points.len().checked_sub(1),
    ]
    .into_iter()
    .flatten()
    .collect();
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(move |place| points[place])
}

fn held(all: &[f64]) -> Array {
    let bytes: Vec<u8> = all.iter().flat_map(|n| n.to_le_bytes()).collect();
    Array {
        dtype: Dtype::Plain("<f8".into()),
        shape: vec![all.len()],
        bytes: bytes.into(),
    }
}

/// A picture with every n-th row and column, where it is too large to be held. Each element may have several colours.
pub(super) fn picture(pixels: &Array) -> Made<Array> {
    let [rows, columns, colours @ ..] = pixels.shape.as_slice() else {
        return Err(format!("the shape {:?} is no picture's", pixels.shape));
    };
    if pixels.bytes.in_memory().is_some() || pixels.bytes.len() <= WHOLE {
        let whole = pixels.bytes.whole().map_err(unreadable)?;
        let bytes = match whole {
            Cow::Borrowed(_) => pixels.bytes.clone(),
            Cow::Owned(read) => read.into(),
        };
        return Ok(Array {
            bytes,
            ..pixels.clone()
        });
    }
    let (rows, columns) = (*rows, *columns);
    let element = pixels.bytes.len() / (rows * columns);
    let (down, across) = (rows.div_ceil(SIDE), columns.div_ceil(SIDE));
    let mut picked = Vec::new();
    for row in (0..rows).step_by(down) {
        let start = row * columns * element;
        pick(
            &pixels.bytes,
            start,
            columns * element,
            [element, across],
            &mut picked,
        )
        .map_err(unreadable)?;
    }
    Ok(Array {
        dtype: pixels.dtype.clone(),
        shape: [&[rows.div_ceil(down), columns.div_ceil(across)], colours].concat(),
        bytes: picked.into(),
    })
}

/// Every `step`-th element of `length` bytes from `start` on.
fn pick(
    bytes: &Bytes,
    start: usize,
    length: usize,
    [element, step]: [usize; 2],
    picked: &mut Vec<u8>,
) -> io::Result<()> {
    let stride = step * element;
    let piece = stride * (PART / stride).max(1);
    for first in (0..length).step_by(piece) {
        let part = bytes.part(start + first, piece.min(length - first))?;
        for elements in part.chunks(stride) {
            picked.extend(&elements[..element]);
        }
    }
    Ok(())
}

fn unreadable(why: io::Error) -> String {
    format!("reading a large result: {why}")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn numbers(array: &Array) -> Vec<f64> {
        Numbers::of(array, |re, _| re).unwrap().all().into_owned()
    }

    /// The same array in a file.
    fn in_file(array: &Array) -> Array {
        let bytes = array.bytes.whole().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        Array {
            bytes: Bytes::in_file(file.into(), 0, bytes.len()),
            ..array.clone()
        }
    }

    #[test]
    fn a_large_line_keeps_its_ends_and_its_extremes() {
        let mut all: Vec<f64> = (0..100_000).map(|n| f64::from(n % 1000)).collect();
        all[31_415] = -5.0;
        all[77_777] = 5000.0;
        all[5] = f64::NAN;
        let (x, y) = line(None, &in_file(&held(&all))).unwrap();
        let points: Vec<(f64, f64)> = numbers(&x.unwrap()).into_iter().zip(numbers(&y)).collect();
        for point in [
            (0.0, 0.0),
            (31_415.0, -5.0),
            (77_777.0, 5000.0),
            (99_999.0, 999.0),
        ] {
            assert!(points.contains(&point), "{point:?}");
        }
        assert!(points.is_sorted_by(|a, b| a.0 < b.0) && points.len() <= 4 * PARTS);
    }

    #[test]
    fn a_large_picture_keeps_every_nth_row_and_column() {
        let (rows, columns) = (600, 3 * SIDE);
        let all: Vec<f64> = (0..rows * columns).map(counted).collect();
        let pixels = Array {
            shape: vec![rows, columns],
            ..held(&all)
        };
        let small = picture(&in_file(&pixels)).unwrap();
        assert!(pixels.bytes.len() > WHOLE);
        assert_eq!(small.shape, [rows, SIDE]);
        let kept = numbers(&small);
        assert!(
            kept.iter()
                .zip(0..)
                .all(|(value, place)| *value == counted(3 * place))
        );
    }
}
