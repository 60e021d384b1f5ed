//! Single values of files from elsewhere, whatever those say of themselves.
//!
//! The bindings take it that a value without dimensions is there, and that a type is one that they could have made. A
//! file can have a value that is none, an enumeration of numbers that are larger than the place for one, types within
//! types without end.

use hdf5_metno::types::TypeDescriptor;
use hdf5_metno::{Container, H5Type};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5t::{
    H5T_class_t, H5Tget_class, H5Tget_member_class, H5Tget_nmembers, H5Tget_size, H5Tget_super,
};

use super::handle::{Handle, call};
use super::{Outcome, words};

/// The largest numbers of an enumeration, in bytes, that the bindings have room for.
const NUMBER: usize = 8;
/// As many parts a type may have: real and imaginary.
const PARTS: u32 = 2;

/// The one value that there is.
///
/// # Errors
/// There is none, or several, or of another kind.
pub(super) fn single<T: H5Type>(of: &Container) -> Outcome<T> {
    match of.is_scalar() {
        true => of.read_scalar().map_err(words),
        false => Err("it is no single value".into()),
    }
}

/// The type of the elements, where it is one of those that a table shows.
pub(crate) fn kind(of: &Container) -> Outcome<TypeDescriptor> {
    let dtype = of.dtype().map_err(words)?;
    match is_flat(dtype.id())? {
        true => dtype.to_descriptor().map_err(words),
        false => Err("its type is not one of those that a table shows".into()),
    }
}

/// Numbers, texts, and pairs of numbers.
fn is_flat(kind: hid_t) -> Outcome<bool> {
    use H5T_class_t as C;
    Ok(match class(kind) {
        C::H5T_INTEGER | C::H5T_FLOAT | C::H5T_STRING => true,
        C::H5T_ENUM => {
            let of = Handle::of(call!("an enumeration", H5Tget_super(kind)))?;
            class(of.id()) == C::H5T_INTEGER && size(of.id()) <= NUMBER
        }
        C::H5T_COMPOUND => {
            let count = call!("a structured type", H5Tget_nmembers(kind))?.cast_unsigned();
            count <= PARTS && (0..count).all(|part| class_of_part(kind, part) == C::H5T_FLOAT)
        }
        _ => false,
    })
}

pub(super) fn class(kind: hid_t) -> H5T_class_t {
    // SAFETY: the identifier is a live type's.
    hdf5_metno::sync::sync(|| unsafe { H5Tget_class(kind) })
}

pub(super) fn size(kind: hid_t) -> usize {
    // SAFETY: the identifier is a live type's.
    hdf5_metno::sync::sync(|| unsafe { H5Tget_size(kind) })
}

fn class_of_part(kind: hid_t, part: u32) -> H5T_class_t {
    // SAFETY: the identifier is a live type's, which has so many parts.
    hdf5_metno::sync::sync(|| unsafe { H5Tget_member_class(kind, part) })
}
