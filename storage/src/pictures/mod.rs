//! What the table draws: sparklines, thumbnails; and how far numbers spread.

mod cores;
mod extremes;
mod figure;
mod large;
mod numbers;
mod quantiles;
mod resample;
mod spread;
mod thumbnail;
mod trendline;

use runledger_context::Bytes;
use runledger_context::value::{Array, Summary};
use tracing::warn;

pub(crate) use spread::spread;

/// A summary that is ready to be stored.
#[derive(Debug)]
pub enum Drawn {
    /// A text.
    Text(String),
    /// Numbers.
    Array(Array),
    /// Shape (2, N), float64: x and y.
    Trendline(Array),
    /// A picture.
    Png(Bytes),
}

/// Makes a summary. One that cannot be made costs itself only: a text says so.
pub fn draw(summary: &Summary) -> Drawn {
    match summary {
        Summary::Text(text) => Drawn::Text(text.clone()),
        Summary::Array(array) => Drawn::Array(array.clone()),
        Summary::Png(bytes) => match figure::of_png(bytes) {
            Ok(png) => Drawn::Png(png),
            Err(why) => failed("thumbnail", &why),
        },
        Summary::Figure(pixels) => {
            let pixels = large::picture(pixels);
            match pixels.and_then(|pixels| figure::of_pixels(&pixels)) {
                Ok(png) => Drawn::Png(png.into()),
                Err(why) => failed("thumbnail", &why),
            }
        }
        Summary::Line { x, y } => {
            let line = large::line(x.as_ref(), y);
            match line.and_then(|(x, y)| trendline::trendline(x.as_ref(), &y)) {
                Ok(line) => Drawn::Trendline(line),
                Err(why) => failed("trendline", &why),
            }
        }
        Summary::Picture { pixels, upwards } => {
            let pixels = large::picture(pixels);
            match pixels.and_then(|pixels| thumbnail::thumbnail(&pixels, *upwards)) {
                Ok(png) => Drawn::Png(png.into()),
                Err(why) => failed("thumbnail", &why),
            }
        }
    }
}

fn failed(what: &str, why: &str) -> Drawn {
    warn!("no {what} could be made: {why}");
    Drawn::Text(format!("<{what} error>"))
}
