//! Reading summaries and their attributes, whoever wrote them.

use hdf5_metno::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5_metno::{Container, Dataset, H5Type, Location};

use super::npy::npy;
use super::{Outcome, words};

/// The first bytes of a PNG (RFC 2083, section 12.11).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The longest fixed-length text that is read.
const FIXED: usize = 4096;

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
    let kind = dataset.dtype().and_then(|dtype| dtype.to_descriptor());
    match kind {
        Ok(kind) if is_text(&kind) => text(dataset, &kind).map(Content::Text),
        Ok(TypeDescriptor::Unsigned(_)) if dataset.ndim() == 1 => bytes_or_array(dataset),
        Ok(kind) if dataset.is_scalar() => scalar(dataset, &kind),
        // Extended precision, for which there is no descriptor; the library converts it.
        Err(_) if dataset.is_scalar() => dataset.read_scalar().map(Content::Real).map_err(words),
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
    if !from.is_scalar() {
        return Err("an array of texts is no summary".into());
    }
    let read = match kind {
        TypeDescriptor::VarLenUnicode => from
            .read_scalar::<VarLenUnicode>()
            // Python writes what it could not decode as bytes that are no UTF-8.
            .map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()),
        TypeDescriptor::VarLenAscii => from
            .read_scalar::<VarLenAscii>()
            .map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()),
        TypeDescriptor::FixedAscii(length) if *length <= FIXED => from
            .read_scalar::<FixedAscii<FIXED>>()
            .map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()),
        TypeDescriptor::FixedUnicode(length) if *length <= FIXED => from
            .read_scalar::<FixedUnicode<FIXED>>()
            .map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => return Err("a text longer than a table shows".into()),
    };
    read.map_err(words)
}

fn bytes_or_array(dataset: &Dataset) -> Outcome<Content> {
    let kind = dataset
        .dtype()
        .and_then(|dtype| dtype.to_descriptor())
        .map_err(words)?;
    if kind == u8::type_descriptor() {
        let bytes = dataset.read_raw::<u8>().map_err(words)?;
        if bytes.starts_with(PNG) {
            return Ok(Content::Png(bytes));
        }
    }
    npy(dataset).map(Content::Npy)
}

fn scalar(dataset: &Dataset, kind: &TypeDescriptor) -> Outcome<Content> {
    let read = match kind {
        TypeDescriptor::Boolean => dataset
            .read_scalar::<bool>()
            .map(|yes| Content::Integer(yes.into())),
        TypeDescriptor::Integer(_) => dataset.read_scalar().map(Content::Integer),
        TypeDescriptor::Unsigned(_) => dataset.read_scalar::<u64>().map(whole_or_real),
        TypeDescriptor::Float(_) => dataset.read_scalar().map(Content::Real),
        kind if is_complex(kind) => dataset
            .read_scalar::<Complex>()
            .map(|c| Content::Complex(c.r, c.i)),
        other => return Err(format!("the table cannot show {other}")),
    };
    read.map_err(words)
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
    let names = of.attr_names().map_err(words)?;
    let known = names.into_iter().filter_map(|name| {
        let attribute = of.attr(&name).ok()?;
        let kind = attribute.dtype().ok()?.to_descriptor().ok()?;
        Some((name, value(&attribute, &kind)?))
    });
    Ok(known.collect())
}

fn value(of: &Container, kind: &TypeDescriptor) -> Option<Attribute> {
    match kind {
        kind if is_text(kind) => text(of, kind).ok().map(Attribute::Text),
        TypeDescriptor::Boolean => of
            .read_raw::<bool>()
            .ok()?
            .first()
            .copied()
            .map(Attribute::Bool),
        TypeDescriptor::Float(_) if of.is_scalar() => of.read_scalar().ok().map(Attribute::Number),
        TypeDescriptor::Unsigned(_) if of.is_scalar() => of
            .read_scalar::<u64>()
            .ok()
            .map(|n| Attribute::Whole(n.into())),
        TypeDescriptor::Integer(_) if of.is_scalar() => of
            .read_scalar::<i64>()
            .ok()
            .map(|n| Attribute::Whole(n.into())),
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
