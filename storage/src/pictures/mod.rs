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
        Summary::Array(array) if trendline::is_line(array) => Drawn::Trendline(array.clone()),
        Summary::Array(array) => Drawn::Array(array.clone()),
        Summary::Png(bytes) => or_text("thumbnail", figure::of_png(bytes).map(Drawn::Png)),
        Summary::Figure(pixels) => {
            let png = large::picture(pixels).and_then(|pixels| figure::of_pixels(&pixels));
            or_text("thumbnail", png.map(|png| Drawn::Png(png.into())))
        }
        Summary::Line { x, y } => {
            let line = large::line(x.as_ref(), y);
            let line = line.and_then(|(x, y)| trendline::trendline(x.as_ref(), &y));
            or_text("trendline", line.map(Drawn::Trendline))
        }
        Summary::Picture { pixels, upwards } => {
            let pixels = large::picture(pixels);
            let png = pixels.and_then(|pixels| thumbnail::thumbnail(&pixels, *upwards));
            or_text("thumbnail", png.map(|png| Drawn::Png(png.into())))
        }
    }
}

fn or_text(what: &str, drawn: Result<Drawn, String>) -> Drawn {
    drawn.unwrap_or_else(|why| {
        warn!("no {what} could be made: {why}");
        Drawn::Text(format!("<{what} error>"))
    })
}
