//! Making a large picture small without losing what lies between its pixels.
//!
//! Each pixel is a mean of the colours around it under a Hann window as wide as the reduction: what Matplotlib's
//! `imshow` does by itself ("antialiased" interpolation). Picking single elements would show noise as something else.

use std::f64::consts::PI;

/// Red, green and blue, 0 to 255.
pub(super) type Colour = [f32; 3];

/// The elements that one pixel shows along one axis: the first of them, and their weights, whose sum is 1.
struct Window {
    first: usize,
    weights: Vec<f32>,
}

/// `size` × `size` colours of a picture of `rows` × `columns`, row by row; `colour` is asked once for each element.
pub(super) fn resample(
    [rows, columns]: [usize; 2],
    size: usize,
    colour: impl Fn(usize, usize) -> Colour,
) -> Vec<Colour> {
    let across = windows(columns, size);
    let down = windows(rows, size);
    let mut all = vec![[0.0; 3]; size * size];
    for row in 0..rows {
        let full: Vec<Colour> = (0..columns).map(|column| colour(row, column)).collect();
        let narrow: Vec<Colour> = across.iter().map(|window| mean(window, &full)).collect();
        for (window, pixels) in down.iter().zip(all.chunks_exact_mut(size)) {
            if let Some(weight) = row
                .checked_sub(window.first)
                .and_then(|at| window.weights.get(at))
            {
                add(pixels, &narrow, *weight);
            }
        }
    }
    all
}

fn mean(window: &Window, all: &[Colour]) -> Colour {
    let mut sum = [0.0; 3];
    for (colour, weight) in all[window.first..].iter().zip(&window.weights) {
        for (sum, part) in sum.iter_mut().zip(colour) {
            *sum += part * weight;
        }
    }
    sum
}

fn add(pixels: &mut [Colour], row: &[Colour], weight: f32) {
    for (sum, part) in pixels.iter_mut().flatten().zip(row.iter().flatten()) {
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
                assert!(window.first + window.weights.len() <= length, "{length}");
            }
        }
    }

    #[test]
    fn a_fine_chequerboard_becomes_grey() {
        let colour = |row: usize, column: usize| [((row + column) % 2 * 200) as f32; 3];
        let small = resample([3000, 3000], 300, colour);
        assert!(
            small
                .iter()
                .flatten()
                .all(|part| (part - 100.0).abs() < 1.0)
        );
    }
}
