//! Figures of plotting packages, as small as the table shows them.

use std::io::Cursor;

use image::imageops::thumbnail;
use image::{ImageFormat, ImageReader, RgbaImage};
use runledger_context::Bytes;
use runledger_context::value::Array;

/// Pixels on the longer side.
const LONGEST: u32 = 300;

/// More pixels are not decoded: a small file can say that it has any number.
const MOST: u64 = 1 << 26;

/// A PNG of pixels of shape (rows, columns, 4), uint8, shrunk where they are more than the table shows.
///
/// # Errors
/// They are no picture.
pub(super) fn of_pixels(pixels: &Array) -> Result<Vec<u8>, String> {
    let size = |length: usize| u32::try_from(length).map_err(|why| why.to_string());
    let &[rows, columns, _] = pixels.shape.as_slice() else {
        return Err(format!("the shape {:?} is no figure's", pixels.shape));
    };
    let bytes = pixels.bytes.whole().map_err(|why| why.to_string())?;
    let picture = RgbaImage::from_raw(size(columns)?, size(rows)?, bytes.into_owned());
    png(&shrunk(picture.ok_or("the pixels are not RGBA")?))
}

/// A PNG, shrunk where it is larger than the table shows.
///
/// # Errors
/// It is none.
pub(super) fn of_png(bytes: &Bytes) -> Result<Bytes, String> {
    let whole = bytes.whole().map_err(|why| why.to_string())?;
    let reader = || ImageReader::with_format(Cursor::new(&whole), ImageFormat::Png);
    let size = reader().into_dimensions().map_err(|why| why.to_string())?;
    if u64::from(size.0) * u64::from(size.1) > MOST {
        return Err(format!("{} × {} pixels are too many", size.0, size.1));
    }
    let picture = reader().decode().map_err(|why| why.to_string())?;
    match picture.width().max(picture.height()) > LONGEST {
        true => png(&shrunk(picture.into_rgba8())).map(Bytes::from),
        false => Ok(bytes.clone()),
    }
}

fn shrunk(picture: RgbaImage) -> RgbaImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= LONGEST {
        return picture;
    }
    let small = |length: u32| (u64::from(length) * u64::from(LONGEST) / u64::from(longest)).max(1);
    let [width, height] =
        [width, height].map(|length| u32::try_from(small(length)).unwrap_or(LONGEST));
    thumbnail(&picture, width, height)
}

/// A picture in the form in which it is stored.
pub(super) fn png(picture: &RgbaImage) -> Result<Vec<u8>, String> {
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|why| why.to_string())?;
    Ok(png.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::DynamicImage;
    use runledger_context::value::Dtype;

    /// The left half red and opaque, the right half clear.
    fn pixels(rows: usize, columns: usize) -> Array {
        let row = |column| {
            if column < columns / 2 {
                [255, 0, 0, 255]
            } else {
                [0; 4]
            }
        };
        let bytes: Vec<u8> = (0..rows).flat_map(|_| (0..columns).flat_map(row)).collect();
        Array {
            dtype: Dtype::Plain("|u1".into()),
            shape: vec![rows, columns, 4],
            bytes: bytes.into(),
        }
    }

    fn seen(png: &[u8]) -> RgbaImage {
        image::load_from_memory(png).unwrap().into_rgba8()
    }

    #[test]
    fn a_large_figure_is_shrunk_in_proportion() {
        let small = seen(&of_pixels(&pixels(480, 640)).unwrap());
        assert_eq!(small.dimensions(), (300, 225));
        assert_eq!(small.get_pixel(10, 100).0, [255, 0, 0, 255]);
        assert_eq!(small.get_pixel(290, 100).0, [0; 4]);
        assert_eq!(
            seen(&of_pixels(&pixels(5000, 2)).unwrap()).dimensions(),
            (1, 300)
        );
    }

    #[test]
    fn a_small_figure_stays_as_it_is() {
        let figure = pixels(300, 200);
        let png = of_pixels(&figure).unwrap();
        assert_eq!(
            seen(&png).as_raw().as_slice(),
            figure.bytes.in_memory().unwrap()
        );
        let png = Bytes::from(png);
        assert_eq!(of_png(&png), Ok(png));
    }

    #[test]
    fn a_large_png_is_shrunk_and_what_is_none_is_refused() {
        let mut large = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(700, 500)
            .write_to(&mut large, ImageFormat::Png)
            .unwrap();
        let small = of_png(&large.into_inner().into()).unwrap();
        assert_eq!(seen(small.in_memory().unwrap()).dimensions(), (300, 214));
        assert!(of_png(&b"\x89PNG nonsense".to_vec().into()).is_err());
    }

    #[test]
    fn a_png_that_says_it_has_a_billion_pixels_is_not_decoded() {
        let mut small = Cursor::new(Vec::new());
        let picture = DynamicImage::new_luma8(2, 2);
        picture.write_to(&mut small, ImageFormat::Png).unwrap();
        let mut png = small.into_inner();
        // In the first chunk (PNG, section 11.2.2): width, height; behind it its CRC.
        png[16..24].copy_from_slice(&[0, 0, 0x80, 0, 0, 0, 0x80, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let refused = of_png(&png.into()).unwrap_err();
        assert!(refused.contains("too many"), "{refused}");
    }
}
