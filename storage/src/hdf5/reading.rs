//! Reading summaries and their attributes, whoever wrote them.

use hdf5_metno::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5_metno::{Container, Dataset, H5Type, Location};

use super::attribute_names::attribute_names;
use super::npy::{npy, npy_or_bytes};
use super::scalars::{kind, single};
use super::{Outcome, words};

/// The first bytes of a PNG (RFC 2083, section 12.11).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The longest fixed-length text that is read.
const FIXED: usize = 4096;
/// As many numbers an attribute may have.
const NUMBERS: usize = 1 << 16;

/// What a summary is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// A text.
    Text(String),
    /// A whole number, or yes and no.
    Integer(i64),
    /// Any number; whole ones that are too large for the table.
    Real(f64),
    /// Real and imaginary part.
    Complex(f64, f64),
    /// A picture.
    Png(Vec<u8>),
    /// An array in NumPy's format.
    Npy(Vec<u8>),
}

/// An attribute of a summary.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    /// A text.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// Numbers, in the notation of JSON.
    Numbers(Vec<serde_json::Number>),
    /// One number.
    Number(f64),
    /// One whole number.
    Whole(serde_json::Number),
}

#[derive(Debug, Clone, Copy, H5Type)]
#[repr(C)]
struct Complex {
    r: f64,
    i: f64,
}

/// What a dataset holds.
pub(crate) fn content(dataset: &Dataset) -> Outcome<Content> {
    if dataset.space().map_err(words)?.is_null() {
        return Err("it has no value".into());
    }
    match kind(dataset) {
        Ok(kind) if is_text(&kind) => text(dataset, &kind).map(Content::Text),
        Ok(TypeDescriptor::Unsigned(_)) if dataset.ndim() == 1 => bytes_or_array(dataset),
        Ok(kind) if dataset.is_scalar() => scalar(dataset, &kind),
        // Extended precision, for which there is no descriptor; the library converts it.
        Err(_) if dataset.is_scalar() => single(dataset).map(Content::Real),
        _ => npy(dataset).map(Content::Npy),
    }
}

fn is_text(kind: &TypeDescriptor) -> bool {
    use TypeDescriptor as T;
    matches!(
        kind,
        T::VarLenUnicode | T::VarLenAscii | T::FixedAscii(_) | T::FixedUnicode(_)
    )
}

fn text(from: &Container, kind: &TypeDescriptor) -> Outcome<String> {
    // Python writes what it could not decode as bytes that are no UTF-8.
    let decoded = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match kind {
        _ if !from.is_scalar() => Err("an array of texts is no summary".into()),
        TypeDescriptor::VarLenUnicode => {
            single::<VarLenUnicode>(from).map(|text| decoded(text.as_bytes()))
        }
        TypeDescriptor::VarLenAscii => {
            single::<VarLenAscii>(from).map(|text| decoded(text.as_bytes()))
        }
        TypeDescriptor::FixedAscii(length) if *length <= FIXED => {
            single::<FixedAscii<FIXED>>(from).map(|text| decoded(text.as_bytes()))
        }
        TypeDescriptor::FixedUnicode(length) if *length <= FIXED => {
            single::<FixedUnicode<FIXED>>(from).map(|text| decoded(text.as_bytes()))
        }
        _ => Err("a text longer than a table shows".into()),
    }
}

fn bytes_or_array(dataset: &Dataset) -> Outcome<Content> {
    npy_or_bytes(dataset, |bytes| bytes.starts_with(PNG)).map(|found| match found {
        Ok(bytes) => Content::Png(bytes),
        Err(npy) => Content::Npy(npy),
    })
}

fn scalar(dataset: &Dataset, kind: &TypeDescriptor) -> Outcome<Content> {
    match kind {
        // Of which a file may have others than 0 and 1.
        TypeDescriptor::Boolean => single::<i8>(dataset).map(|n| Content::Integer((n != 0).into())),
        TypeDescriptor::Integer(_) => single(dataset).map(Content::Integer),
        TypeDescriptor::Unsigned(_) => single::<u64>(dataset).map(whole_or_real),
        TypeDescriptor::Float(_) => single(dataset).map(Content::Real),
        kind if is_complex(kind) => single::<Complex>(dataset).map(|c| Content::Complex(c.r, c.i)),
        other => Err(format!("the table cannot show {other}")),
    }
}

/// The table's whole numbers have 63 bits.
fn whole_or_real(number: u64) -> Content {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest number is what there is to show"
    )]
    i64::try_from(number).map_or(Content::Real(number as f64), Content::Integer)
}

fn is_complex(kind: &TypeDescriptor) -> bool {
    match kind {
        TypeDescriptor::Compound(compound) => {
            let names: Vec<&str> = compound
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .collect();
            names == ["r", "i"]
        }
        _ => false,
    }
}

/// All attributes that the table understands.
pub(crate) fn attributes(of: &Location) -> Outcome<Vec<(String, Attribute)>> {
    let names = attribute_names(of)?;
    let known = names.into_iter().filter_map(|name| {
        let attribute = of.attr(&name).ok()?;
        let kind = kind(&attribute).ok()?;
        Some((name, value(&attribute, &kind)?))
    });
    Ok(known.collect())
}

fn value(of: &Container, kind: &TypeDescriptor) -> Option<Attribute> {
    if of.size() > NUMBERS {
        return None;
    }
    match kind {
        kind if is_text(kind) => text(of, kind).ok().map(Attribute::Text),
        TypeDescriptor::Boolean => {
            let first = of.read_raw::<i8>().ok()?.first().copied();
            first.map(|number| Attribute::Bool(number != 0))
        }
        TypeDescriptor::Float(_) if of.is_scalar() => single(of).ok().map(Attribute::Number),
        TypeDescriptor::Unsigned(_) if of.is_scalar() => {
            single::<u64>(of).ok().map(|n| Attribute::Whole(n.into()))
        }
        TypeDescriptor::Integer(_) if of.is_scalar() => {
            single::<i64>(of).ok().map(|n| Attribute::Whole(n.into()))
        }
        TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) => {
            let numbers = of.read_raw::<i64>().ok()?;
            Some(Attribute::Numbers(
                numbers.into_iter().map(Into::into).collect(),
            ))
        }
        TypeDescriptor::Float(_) => {
            let numbers = of.read_raw::<f64>().ok()?;
            Some(Attribute::Numbers(
                numbers
                    .into_iter()
                    .filter_map(serde_json::Number::from_f64)
                    .collect(),
            ))
        }
        _ => None,
    }
}
