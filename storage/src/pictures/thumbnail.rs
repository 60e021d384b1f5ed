//! A two-dimensional array as a small picture.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use runledger_context::value::Array;

use super::numbers::Numbers;
use super::quantiles::{finite, quantiles};
use super::resample::resample;

/// Pixels on each side.
const SIZE: usize = 300;
/// Colours, as many as in Matplotlib's tables.
const STEPS: usize = 256;
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
    let numbers = Numbers::of(pixels, f64::hypot)?;
    if numbers.len() != rows * columns {
        return Err(format!(
            "{} values for {rows} rows of {columns}",
            numbers.len()
        ));
    }
    if numbers.len() == 0 && upwards {
        return Err("there is nothing to draw".into());
    }
    if numbers.len() == 0 {
        return encoded(&[[255; 4]; SIZE * SIZE]);
    }
    let ends = quantiles(&numbers, [DARKEST, BRIGHTEST]);
    let scale = Scale::of(if upwards { apart(ends) } else { ends });
    let row = |row: usize, steps: &mut Vec<u8>| {
        let values = numbers.part(row * columns..(row + 1) * columns);
        steps.clear();
        steps.extend(values.iter().map(|value| scale.step(*value)));
    };
    // NumPy's arrays and xarray's are drawn in two ways, as in Matplotlib and xarray.
    let picture = if upwards || (is_magnified(rows) && is_magnified(columns)) {
        picked([rows, columns], upwards, row)
    } else {
        blended([rows, columns], row)
    };
    encoded(&picture)
}

/// Which step of the colours stands for a value.
struct Scale {
    darkest: f64,
    steps_each: f64,
}

impl Scale {
    fn of([low, high]: [f64; 2]) -> Self {
        let steps_each = if high > low {
            STEPS as f64 / (high - low)
        } else {
            0.0
        };
        Self {
            darkest: low,
            steps_each,
        }
    }

    /// What is beyond the ends gets their colours.
    fn step(&self, value: f64) -> u8 {
        ((finite(value) - self.darkest) * self.steps_each) as u8
    }
}

/// Where nearly all values are the same, xarray gives that one the middle colour and Matplotlib the darkest.
fn apart([low, high]: [f64; 2]) -> [f64; 2] {
    let reach = match low.abs() {
        0.0..1e-300 => 0.05,
        size => 0.05 * size,
    };
    if high > low {
        [low, high]
    } else {
        [low - reach, high + reach]
    }
}

/// Each pixel shows one element.
fn picked(
    [rows, columns]: [usize; 2],
    upwards: bool,
    row: impl Fn(usize, &mut Vec<u8>),
) -> Vec<[u8; 4]> {
    let colours = viridis();
    let mut steps = Vec::new();
    let mut picture = Vec::with_capacity(SIZE * SIZE);
    let mut last = None;
    for y in 0..SIZE {
        let shown = place(if upwards { SIZE - 1 - y } else { y }, rows);
        if last == Some(shown) {
            picture.extend_from_within(picture.len() - SIZE..);
            continue;
        }
        row(shown, &mut steps);
        picture.extend((0..SIZE).map(|x| colours[usize::from(steps[place(x, columns)])]));
        last = Some(shown);
    }
    picture
}

/// Each pixel shows all elements that it covers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "means of numbers from 0 to 255"
)]
fn blended(shape: [usize; 2], row: impl Fn(usize, &mut Vec<u8>) + Sync) -> Vec<[u8; 4]> {
    let colours = viridis().map(|colour| colour.map(f32::from));
    let all = resample(shape, SIZE, &colours, row);
    all.into_iter()
        .map(|colour| colour.map(|part| (part + 0.5) as u8))
        .collect()
}

fn encoded(picture: &[[u8; 4]]) -> Result<Vec<u8>, String> {
    let mut png = Vec::new();
    let size = SIZE as u32;
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(picture.as_flattened(), size, size, ExtendedColorType::Rgba8)
        .map_err(|error| error.to_string())?;
    Ok(png)
}

/// Whether elements are drawn so large that nothing is to be blended: Matplotlib's rule.
fn is_magnified(length: usize) -> bool {
    SIZE > 3 * length || SIZE == length || SIZE == 2 * length
}

/// The element under the middle of a pixel; the first of two whose border is there.
fn place(pixel: usize, length: usize) -> usize {
    ((2 * pixel + 1) * length - 1) / (2 * SIZE)
}

/// Red, green, blue and opaque, for each step.
fn viridis() -> [[u8; 4]; STEPS] {
    std::array::from_fn(|step| {
        let colour = colorous::VIRIDIS.eval_rational(step, STEPS);
        [colour.r, colour.g, colour.b, 255]
    })
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};
    use runledger_context::value::Dtype;

    use super::*;

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
    fn what_is_the_same_everywhere_has_one_colour() {
        let colour = |upwards| {
            let picture = drawn("|u1", [2, 2], vec![7; 4], upwards);
            assert!(
                picture
                    .pixels()
                    .all(|pixel| pixel == picture.get_pixel(0, 0))
            );
            picture.get_pixel(0, 0).0
        };
        assert_eq!(colour(false), [68, 1, 84, 255]);
        let [r, g, b, _] = colour(true);
        assert!((30..36).contains(&r) && (140..150).contains(&g) && (135..145).contains(&b));
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
