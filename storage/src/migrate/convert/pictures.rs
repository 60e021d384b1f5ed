//! Summaries that were pictures in themselves, and become thumbnails.

use hdf5_metno::Dataset;
use runledger_context::value::{Dtype, Summary};

use crate::hdf5::{self, Outcome};
use crate::pictures::{Drawn, draw};

/// Whether a summary is a picture of an older format: numbers in two dimensions, or pixels of four colours.
pub(super) fn is_picture(summary: &Dataset) -> bool {
    let fits = match summary.shape().as_slice() {
        [_, _] => true,
        [_, _, colours] => *colours == 4,
        _ => false,
    };
    // A later format says what its arrays are.
    fits && summary.attr("summary_type").is_err()
}

/// The PNG of such a summary.
///
/// # Errors
/// Why it has to stay as it is.
pub(super) fn thumbnail(summary: &Dataset) -> Outcome<Vec<u8>> {
    let pixels = hdf5::array(summary)?;
    let is_figure = pixels.shape.len() == 3;
    if is_figure && pixels.dtype != Dtype::Plain("|u1".into()) {
        return Err("its colours are no bytes".into());
    }
    let summary = match is_figure {
        true => Summary::Figure(pixels),
        false => Summary::Picture {
            pixels,
            upwards: false,
        },
    };
    match draw(&summary) {
        Drawn::Png(png) => Ok(png.whole().map_err(|why| why.to_string())?.into_owned()),
        _ => Err("it cannot be drawn".into()),
    }
}
