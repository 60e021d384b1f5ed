//! A two-dimensional array as a small picture.

use image::{Rgba, RgbaImage};
use runledger_context::value::Array;

use super::figure::png;
use super::numbers::numbers;
use super::resample::resample;

/// Pixels on each side.
const SIZE: u32 = 300;
/// The darkest and the brightest colour stand for these parts of the values.
const DARKEST: f64 = 0.01;
const BRIGHTEST: f64 = 0.99;

/// A PNG of 300 × 300 pixels of an array of shape (rows, columns), in the colours of viridis. Row 0 is on top, or at
/// the bottom where `upwards`.
///
/// # Errors
/// There are no numbers, or not in two dimensions.
pub(super) fn thumbnail(pixels: &Array, upwards: bool) -> Result<Vec<u8>, String> {
    let &[rows, columns] = pixels.shape.as_slice() else {
        return Err(format!("the shape {:?} is no picture's", pixels.shape));
    };
    let values: Vec<f64> = numbers(pixels, f64::hypot)?
        .into_iter()
        .map(finite)
        .collect();
    if values.len() != rows * columns {
        return Err(format!(
            "{} values for {rows} rows of {columns}",
            values.len()
        ));
    }
    if values.is_empty() {
        return png(&RgbaImage::from_pixel(SIZE, SIZE, Rgba([255; 4])));
    }
    let (low, high) = limits(&values);
    let colour = |row: usize, column: usize| {
        let value = values[row * columns + column];
        viridis(if high > low {
            (value - low) / (high - low)
        } else {
            0.0
        })
    };
    // NumPy's arrays and xarray's are drawn in two ways, as in Matplotlib and xarray.
    let picture = if upwards || (is_magnified(rows) && is_magnified(columns)) {
        picked([rows, columns], upwards, colour)
    } else {
        blended([rows, columns], colour)
    };
    png(&picture)
}

/// Each pixel shows one element.
fn picked(
    [rows, columns]: [usize; 2],
    upwards: bool,
    colour: impl Fn(usize, usize) -> Rgba<u8>,
) -> RgbaImage {
    RgbaImage::from_fn(SIZE, SIZE, |x, y| {
        let y = if upwards { SIZE - 1 - y } else { y };
        colour(place(y, rows), place(x, columns))
    })
}

/// Each pixel shows all elements that it covers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "means of numbers from 0 to 255"
)]
fn blended(shape: [usize; 2], colour: impl Fn(usize, usize) -> Rgba<u8>) -> RgbaImage {
    let of = |row, column| {
        let [r, g, b, _] = colour(row, column).0;
        [r, g, b].map(f32::from)
    };
    let all = resample(shape, SIZE as usize, of);
    RgbaImage::from_fn(SIZE, SIZE, |x, y| {
        let [r, g, b] = all[(y * SIZE + x) as usize].map(|part| part.round() as u8);
        Rgba([r, g, b, 255])
    })
}

/// Whether elements are drawn so large that nothing is to be blended: Matplotlib's rule.
fn is_magnified(length: usize) -> bool {
    let size = SIZE as usize;
    size > 3 * length || size == length || size == 2 * length
}

/// As `numpy.nan_to_num` has it.
fn finite(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(f64::MIN, f64::MAX)
    }
}

/// The element under the middle of a pixel; the first of two whose border is there.
fn place(pixel: u32, length: usize) -> usize {
    ((2 * pixel as usize + 1) * length - 1) / (2 * SIZE as usize)
}

fn limits(values: &[f64]) -> (f64, f64) {
    let mut values = values.to_vec();
    (
        quantile(&mut values, DARKEST),
        quantile(&mut values, BRIGHTEST),
    )
}

/// Between two elements in proportion, as `numpy.quantile` does by default.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in an array"
)]
fn quantile(values: &mut [f64], part: f64) -> f64 {
    let place = part * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let (_, low, rest) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let high = rest.iter().copied().reduce(f64::min).unwrap_or(low);
    low + (high - low) * place.fract()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a step of 256"
)]
fn viridis(part: f64) -> Rgba<u8> {
    // Matplotlib's tables have 256 steps.
    let step = (part * 256.0).clamp(0.0, 255.0) as usize;
    let colour = colorous::VIRIDIS.eval_rational(step, 256);
    Rgba([colour.r, colour.g, colour.b, 255])
}

#[cfg(test)]
mod tests {
    use super::*;
    use runledger_context::value::Dtype;

    fn drawn(dtype: &str, shape: [usize; 2], bytes: Vec<u8>, upwards: bool) -> RgbaImage {
        let array = Array {
            dtype: Dtype::Plain(dtype.into()),
            shape: shape.to_vec(),
            bytes: bytes.into(),
        };
        image::load_from_memory(&thumbnail(&array, upwards).unwrap())
            .unwrap()
            .to_rgba8()
    }

    fn brightness(pixel: &Rgba<u8>) -> u32 {
        pixel.0[..3].iter().map(|part| u32::from(*part)).sum()
    }

    #[test]
    fn the_first_row_is_on_top_or_at_the_bottom() {
        // Dark row, bright row.
        let down = drawn("|u1", [2, 2], vec![0, 0, 9, 9], false);
        let up = drawn("|u1", [2, 2], vec![0, 0, 9, 9], true);
        assert_eq!((down.width(), down.height()), (300, 300));
        assert!(brightness(down.get_pixel(0, 0)) < brightness(down.get_pixel(0, 299)));
        assert!(brightness(up.get_pixel(0, 0)) > brightness(up.get_pixel(0, 299)));
    }

    #[test]
    fn dark_is_violet_and_bright_is_yellow() {
        let picture = drawn("|u1", [1, 2], vec![0, 9], false);
        assert_eq!(picture.get_pixel(0, 0).0, [68, 1, 84, 255]);
        let [r, g, b, _] = picture.get_pixel(299, 0).0;
        assert!(r > 240 && g > 220 && b < 60, "{r} {g} {b}");
    }

    #[test]
    fn quantiles_lie_between_elements_as_in_numpy() {
        let mut values: Vec<f64> = (0..11).rev().map(f64::from).collect();
        assert!((quantile(&mut values, 0.01) - 0.1).abs() < 1e-12);
        assert!((quantile(&mut values, 0.99) - 9.9).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_white() {
        let empty = drawn("<f8", [0, 3], Vec::new(), false);
        assert!(empty.pixels().all(|pixel| pixel.0 == [255; 4]));
    }

    #[test]
    fn what_is_not_finite_does_not_stop_it() {
        let bytes = [f64::NAN, f64::INFINITY, 1.0, -f64::INFINITY]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        assert_eq!(drawn("<f8", [2, 2], bytes, false).width(), 300);
    }
}
