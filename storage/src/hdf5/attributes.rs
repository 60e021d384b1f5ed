//! Attributes, in the forms in which h5py and h5netcdf write them.

use hdf5_metno::Location;
use hdf5_metno_sys::h5a::{H5Acreate2, H5Awrite};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5p::H5P_DEFAULT;
use runledger_context::value::{Array, Dtype, Texts, Values};

use super::Outcome;
use super::dataset::{scalar, simple, unreadable};
use super::handle::{Handle, c_string, call};
use super::types;

/// A text, variable length.
pub(crate) fn set_text(at: &Location, name: &str, text: &str) -> Outcome {
    text_attribute(at.id(), name, text)
}

/// A number.
pub(crate) fn set_f64(at: &Location, name: &str, number: f64) -> Outcome {
    let (kind, _) = types::type_of(&Dtype::Plain("<f8".into()))?;
    write(
        at.id(),
        name,
        &kind,
        &scalar()?,
        number.to_le_bytes().as_ptr().cast(),
    )
}

/// Yes or no.
pub(crate) fn set_bool(at: &Location, name: &str, yes: bool) -> Outcome {
    let value = i8::from(yes);
    write(
        at.id(),
        name,
        &types::boolean()?,
        &scalar()?,
        (&raw const value).cast(),
    )
}

/// Numbers, in one dimension.
pub(crate) fn set_array(
    at: &Location,
    name: &str,
    dtype: &str,
    length: usize,
    bytes: &[u8],
) -> Outcome {
    let (kind, size) = types::type_of(&Dtype::Plain(dtype.into()))?;
    debug_assert_eq!(
        size * length,
        bytes.len(),
        "the bytes are those of the numbers"
    );
    write(at.id(), name, &kind, &line(length)?, bytes.as_ptr().cast())
}

/// An attribute of a NetCDF group or variable: numbers always have one dimension there.
pub(super) fn set_netcdf(at: hid_t, name: &str, values: &Values) -> Outcome {
    match values {
        Values::Array(array) => numbers(at, name, array),
        Values::Texts(Texts { shape, texts }) => match (shape.as_slice(), texts.as_slice()) {
            ([], [text]) => text_attribute(at, name, text),
            _ => texts_attribute(at, name, texts),
        },
    }
}

fn numbers(at: hid_t, name: &str, array: &Array) -> Outcome {
    let (kind, size) = types::type_of(&array.dtype)?;
    let bytes = array.bytes.whole().map_err(unreadable)?;
    let length = bytes.len() / size.max(1);
    write(at, name, &kind, &line(length)?, bytes.as_ptr().cast())
}

pub(super) fn text_attribute(at: hid_t, name: &str, text: &str) -> Outcome {
    let text = c_string(text)?;
    let pointer = text.as_ptr();
    write(
        at,
        name,
        &types::text()?,
        &scalar()?,
        (&raw const pointer).cast(),
    )
}

fn texts_attribute(at: hid_t, name: &str, texts: &[String]) -> Outcome {
    let strings = texts
        .iter()
        .map(|text| c_string(text))
        .collect::<Outcome<Vec<_>>>()?;
    let pointers: Vec<_> = strings.iter().map(|text| text.as_ptr()).collect();
    write(
        at,
        name,
        &types::text()?,
        &line(texts.len())?,
        pointers.as_ptr().cast(),
    )
}

pub(super) fn line(length: usize) -> Outcome<Handle> {
    simple(&[length as u64], &[length as u64])
}

/// Makes an attribute; `value` points to as many elements as `space` has.
pub(super) fn write(
    at: hid_t,
    name: &str,
    kind: &Handle,
    space: &Handle,
    value: *const std::ffi::c_void,
) -> Outcome {
    let c_name = c_string(name)?;
    let made = Handle::of(call!(
        "making an attribute",
        H5Acreate2(
            at,
            c_name.as_ptr(),
            kind.id(),
            space.id(),
            H5P_DEFAULT,
            H5P_DEFAULT
        )
    ))?;
    call!(
        "writing an attribute",
        H5Awrite(made.id(), kind.id(), value)
    )
    .map(drop)
}
