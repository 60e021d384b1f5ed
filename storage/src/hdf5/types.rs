//! NumPy's element types in HDF5, as h5py maps them.

use hdf5_metno::globals::{
    H5T_C_S1, H5T_IEEE_F32BE, H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_IEEE_F64LE, H5T_NATIVE_LDOUBLE,
    H5T_STD_I8LE, H5T_STD_I16BE, H5T_STD_I16LE, H5T_STD_I32BE, H5T_STD_I32LE, H5T_STD_I64BE,
    H5T_STD_I64LE, H5T_STD_U8LE, H5T_STD_U16BE, H5T_STD_U16LE, H5T_STD_U32BE, H5T_STD_U32LE,
    H5T_STD_U64BE, H5T_STD_U64LE,
};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5t::{
    H5T_VARIABLE, H5T_class_t, H5T_cset_t, H5T_str_t, H5Tarray_create2, H5Tcopy, H5Tcreate,
    H5Tenum_create, H5Tenum_insert, H5Tinsert, H5Tset_cset, H5Tset_ebias, H5Tset_fields,
    H5Tset_size, H5Tset_strpad,
};
use runledger_context::value::Dtype;

use super::Outcome;
use super::handle::{Handle, c_string, call};

/// The HDF5 type of one element, and its size in bytes.
pub(super) fn type_of(dtype: &Dtype) -> Outcome<(Handle, usize)> {
    match dtype {
        Dtype::Plain(word) => plain(word),
        Dtype::Structured(fields) => structured(fields),
    }
}

fn plain(word: &str) -> Outcome<(Handle, usize)> {
    let unknown = || format!("the NumPy type {word} cannot be stored in HDF5");
    let mut letters = word.chars();
    let big = letters.next().ok_or_else(unknown)? == '>';
    let kind = letters.next().ok_or_else(unknown)?;
    let size: usize = letters.as_str().parse().map_err(|_| unknown())?;
    let made = match (kind, size) {
        ('b', 1) => boolean()?,
        ('i' | 'u' | 'f', _) => number(kind, size, big).ok_or_else(unknown)??,
        ('c', 8 | 16 | 32) => complex(size, big)?,
        ('S', 1..) => fixed_text(size)?,
        ('V', 1..) => Handle::of(call!(
            "opaque type",
            H5Tcreate(H5T_class_t::H5T_OPAQUE, size)
        ))?,
        _ => return Err(unknown()),
    };
    Ok((made, size))
}

fn copy(of: hid_t) -> Outcome<Handle> {
    Handle::of(call!("type", H5Tcopy(of)))
}

fn number(kind: char, size: usize, big: bool) -> Option<Outcome<Handle>> {
    let known: hid_t = match (kind, size, big) {
        ('i', 1, _) => *H5T_STD_I8LE,
        ('i', 2, false) => *H5T_STD_I16LE,
        ('i', 2, true) => *H5T_STD_I16BE,
        ('i', 4, false) => *H5T_STD_I32LE,
        ('i', 4, true) => *H5T_STD_I32BE,
        ('i', 8, false) => *H5T_STD_I64LE,
        ('i', 8, true) => *H5T_STD_I64BE,
        ('u', 1, _) => *H5T_STD_U8LE,
        ('u', 2, false) => *H5T_STD_U16LE,
        ('u', 2, true) => *H5T_STD_U16BE,
        ('u', 4, false) => *H5T_STD_U32LE,
        ('u', 4, true) => *H5T_STD_U32BE,
        ('u', 8, false) => *H5T_STD_U64LE,
        ('u', 8, true) => *H5T_STD_U64BE,
        ('f', 4, false) => *H5T_IEEE_F32LE,
        ('f', 4, true) => *H5T_IEEE_F32BE,
        ('f', 8, false) => *H5T_IEEE_F64LE,
        ('f', 8, true) => *H5T_IEEE_F64BE,
        ('f', 16, false) => *H5T_NATIVE_LDOUBLE,
        ('f', 2, _) => return Some(half(big)),
        _ => return None,
    };
    Some(copy(known))
}

/// IEEE half precision: sign at bit 15, 5 bits of exponent at 10, 10 of mantissa at 0, bias 15.
fn half(big: bool) -> Outcome<Handle> {
    let made = copy(if big {
        *H5T_IEEE_F32BE
    } else {
        *H5T_IEEE_F32LE
    })?;
    call!("half precision", H5Tset_fields(made.id(), 15, 10, 5, 0, 10))?;
    call!("half precision", H5Tset_size(made.id(), 2))?;
    call!("half precision", H5Tset_ebias(made.id(), 15))?;
    Ok(made)
}

/// An enumeration of int8, FALSE and TRUE.
pub(super) fn boolean() -> Outcome<Handle> {
    let made = Handle::of(call!("boolean type", H5Tenum_create(*H5T_STD_I8LE)))?;
    for (name, value) in [(c"FALSE", 0_i8), (c"TRUE", 1)] {
        let value: *const i8 = &raw const value;
        call!(
            "boolean type",
            H5Tenum_insert(made.id(), name.as_ptr(), value.cast())
        )?;
    }
    Ok(made)
}

/// A compound of real part `r` and imaginary part `i`.
fn complex(size: usize, big: bool) -> Outcome<Handle> {
    let half = size / 2;
    let part =
        number('f', half, big).ok_or("complex numbers of this size cannot be stored in HDF5")??;
    let made = Handle::of(call!(
        "complex type",
        H5Tcreate(H5T_class_t::H5T_COMPOUND, size)
    ))?;
    for (name, offset) in [(c"r", 0), (c"i", half)] {
        call!(
            "complex type",
            H5Tinsert(made.id(), name.as_ptr(), offset, part.id())
        )?;
    }
    Ok(made)
}

fn fixed_text(size: usize) -> Outcome<Handle> {
    let made = copy(*H5T_C_S1)?;
    call!("text type", H5Tset_size(made.id(), size))?;
    call!(
        "text type",
        H5Tset_strpad(made.id(), H5T_str_t::H5T_STR_NULLPAD)
    )?;
    Ok(made)
}

/// A fixed text that ends with NUL, as dimension scales want it.
pub(super) fn terminated_text(size: usize) -> Outcome<Handle> {
    let made = copy(*H5T_C_S1)?;
    call!("text type", H5Tset_size(made.id(), size))?;
    Ok(made)
}

/// Variable length, UTF-8, ending with NUL.
pub(super) fn text() -> Outcome<Handle> {
    let made = copy(*H5T_C_S1)?;
    call!("text type", H5Tset_size(made.id(), H5T_VARIABLE))?;
    call!(
        "text type",
        H5Tset_cset(made.id(), H5T_cset_t::H5T_CSET_UTF8)
    )?;
    Ok(made)
}

fn structured(fields: &[(String, Dtype, Vec<usize>)]) -> Outcome<(Handle, usize)> {
    let mut parts = Vec::new();
    let mut size = 0;
    for (name, dtype, shape) in fields {
        let (part, length) = field(dtype, shape)?;
        // A field without a name is padding.
        if !name.is_empty() {
            parts.push((c_string(name)?, size, part));
        }
        size += length;
    }
    let made = Handle::of(call!(
        "structured type",
        H5Tcreate(H5T_class_t::H5T_COMPOUND, size)
    ))?;
    for (name, offset, part) in &parts {
        call!(
            "structured type",
            H5Tinsert(made.id(), name.as_ptr(), *offset, part.id())
        )?;
    }
    Ok((made, size))
}

fn field(dtype: &Dtype, shape: &[usize]) -> Outcome<(Handle, usize)> {
    let (one, size) = type_of(dtype)?;
    if shape.is_empty() {
        return Ok((one, size));
    }
    let lengths: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
    let rank = u32::try_from(lengths.len()).map_err(|_| "too many dimensions")?;
    let all = Handle::of(call!(
        "array type",
        H5Tarray_create2(one.id(), rank, lengths.as_ptr())
    ))?;
    Ok((all, size * shape.iter().product::<usize>()))
}
