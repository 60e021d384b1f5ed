//! Making a large picture small without losing what lies between its pixels.
//!
//! Each pixel is a mean of the colours around it under a Hann window as wide as the reduction: what Matplotlib's
//! `imshow` does by itself ("antialiased" interpolation). Picking single elements would show noise as something else.

use std::f64::consts::PI;

use super::cores::in_parts;

/// Red, green, blue and opacity, 0 to 255.
pub(super) type Colour = [f32; 4];

/// The elements that one pixel shows along one axis: the first of them, and their weights, whose sum is 1.
struct Window {
    first: usize,
    weights: Vec<f32>,
}

impl Window {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// `size` × `size` colours of a picture of `rows` × `columns`, row by row. `steps` fills in which of the `colours`
/// the elements of a row have; it is asked once for each row.
pub(super) fn resample(
    [rows, columns]: [usize; 2],
    size: usize,
    colours: &[Colour; 256],
    steps: impl Fn(usize, &mut Vec<u8>) + Sync,
) -> Vec<Colour> {
    let across = windows(columns, size);
    let down = windows(rows, size);
    let bands = in_parts(size, rows * columns, |band| {
        resampled(&down[band], &across, columns, colours, &steps)
    });
    bands.concat()
}

/// The rows of colours that the windows `down` show.
fn resampled(
    down: &[Window],
    across: &[Window],
    columns: usize,
    colours: &[Colour; 256],
    steps: impl Fn(usize, &mut Vec<u8>),
) -> Vec<Colour> {
    let size = across.len();
    let rows = down.first().map_or(0, |window| window.first)..down.last().map_or(0, Window::end);
    let mut all = vec![[0.0; 4]; down.len() * size];
    let mut full = Vec::with_capacity(columns);
    let mut narrow = Vec::with_capacity(size);
    for row in rows {
        steps(row, &mut full);
        narrow.clear();
        narrow.extend(across.iter().map(|window| mean(window, &full, colours)));
        let first = down.partition_point(|window| window.end() <= row);
        let shown = down[first..]
            .iter()
            .zip(all[first * size..].chunks_exact_mut(size));
        for (window, pixels) in shown.take_while(|(window, _)| window.first <= row) {
            add(pixels, &narrow, window.weights[row - window.first]);
        }
    }
    all
}

fn mean(window: &Window, steps: &[u8], colours: &[Colour; 256]) -> Colour {
    let mut sum = [0.0; 4];
    for (step, weight) in steps[window.first..].iter().zip(&window.weights) {
        for (sum, part) in sum.iter_mut().zip(colours[usize::from(*step)]) {
            *sum += part * weight;
        }
    }
    sum
}

fn add(pixels: &mut [Colour], row: &[Colour], weight: f32) {
    let sums = pixels.as_flattened_mut().iter_mut();
    for (sum, part) in sums.zip(row.as_flattened()) {
        *sum += part * weight;
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in an array"
)]
fn windows(length: usize, size: usize) -> Vec<Window> {
    let step = length as f64 / size as f64;
    let reach = step.max(1.0);
    let window = |pixel: usize| {
        // In elements, whose middles are at 0, 1, 2, …
        let middle = (pixel as f64 + 0.5) * step - 0.5;
        let first = (middle - reach).ceil().max(0.0) as usize;
        let last = ((middle + reach).floor() as usize).min(length - 1);
        let weights: Vec<f64> = (first..=last)
            .map(|at| 0.5 + 0.5 * (PI * (at as f64 - middle) / reach).cos())
            .collect();
        let sum: f64 = weights.iter().sum();
        let weights = weights.iter().map(|weight| (weight / sum) as f32).collect();
        Window { first, weights }
    };
    (0..size).map(window).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_every_pixel_sum_to_one_and_stay_inside() {
        for length in [1, 2, 299, 300, 301, 450, 10_000] {
            for window in windows(length, 300) {
                let sum: f32 = window.weights.iter().sum();
                assert!((sum - 1.0).abs() < 1e-4, "{length}: {sum}");
                assert!(window.end() <= length, "{length}");
            }
        }
    }

    #[test]
    fn a_fine_chequerboard_becomes_grey() {
        let colours = std::array::from_fn(|step| [step as f32; 4]);
        let steps = |row: usize, into: &mut Vec<u8>| {
            into.clear();
            into.extend((0..1500).map(|column| ((row + column) % 2 * 200) as u8));
        };
        let small = resample([1500, 1500], 300, &colours, steps);
        assert!(
            small
                .iter()
                .flatten()
                .all(|part| (part - 100.0).abs() < 1.0)
        );
    }
}
