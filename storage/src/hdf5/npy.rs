//! Arrays of a file as `numpy.save` writes them (NEP 1, format 1.0), in the type and byte order that they have there.

use hdf5_metno::Dataset;
use hdf5_metno_sys::h5d::{H5Dget_type, H5Dread};
use hdf5_metno_sys::h5p::H5P_DEFAULT;
use hdf5_metno_sys::h5s::H5S_ALL;
use hdf5_metno_sys::h5t::H5Tequal;
use runledger_context::value::Dtype;

use super::Outcome;
use super::handle::{Handle, call};
use super::types::type_of;

/// The types of arrays that the table keeps.
const KNOWN: [&str; 27] = [
    "|b1", "|i1", "|u1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "<u2", ">u2", "<u4", ">u4",
    "<u8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<f16", "<c8", ">c8", "<c16", ">c16",
    "<c32",
];

const BYTES: &str = "|u1";

/// The bytes of the largest array that the table keeps.
const LARGEST: usize = 64 << 20;

/// A dataset as such a file.
pub(super) fn npy(dataset: &Dataset) -> Outcome<Vec<u8>> {
    let (descr, elements) = for_table(dataset)?;
    Ok(npy_file(descr, &dataset.shape(), &elements))
}

/// The bytes of a dataset where `are_meant` says so of them, else such a file.
pub(super) fn npy_or_bytes(
    dataset: &Dataset,
    are_meant: impl FnOnce(&[u8]) -> bool,
) -> Outcome<Result<Vec<u8>, Vec<u8>>> {
    let (descr, elements) = for_table(dataset)?;
    Ok(match descr == BYTES && are_meant(&elements) {
        true => Ok(elements),
        false => Err(npy_file(descr, &dataset.shape(), &elements)),
    })
}

fn for_table(dataset: &Dataset) -> Outcome<(&'static str, Vec<u8>)> {
    let found = elements(dataset, LARGEST);
    found.map_err(|why| format!("the table cannot show this array: {why}"))
}

/// NumPy's word for a dataset's type, and its elements, if they have at most so many bytes.
pub(super) fn elements(dataset: &Dataset, most: usize) -> Outcome<(&'static str, Vec<u8>)> {
    let kind = Handle::of(call!("an array's type", H5Dget_type(dataset.id())))?;
    let (descr, size) = descr(&kind)?;
    let bytes = dataset
        .shape()
        .iter()
        .try_fold(size, |product, n| product.checked_mul(*n))
        .filter(|bytes| *bytes <= most)
        .ok_or("it is too large")?;
    let mut elements = vec![0_u8; bytes];
    if !elements.is_empty() {
        let first = elements.as_mut_ptr().cast();
        call!(
            "reading an array",
            H5Dread(
                dataset.id(),
                kind.id(),
                H5S_ALL,
                H5S_ALL,
                H5P_DEFAULT,
                first
            )
        )?;
    }
    Ok((descr, elements))
}

/// NumPy's word for a type, and the bytes of an element.
fn descr(kind: &Handle) -> Outcome<(&'static str, usize)> {
    for word in KNOWN {
        let (made, size) = type_of(&Dtype::Plain(word.into()))?;
        if call!("comparing types", H5Tequal(kind.id(), made.id()))? > 0 {
            return Ok((word, size));
        }
    }
    Err("its type is unknown".into())
}

fn npy_file(descr: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let lengths: Vec<String> = shape.iter().map(|n| format!("{n},")).collect();
    let head = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}",
        lengths.join(" ")
    );
    // Magic, version and length take 10 bytes; the data begin at a multiple of 64, after a line's end.
    let padding = (64 - (10 + head.len() + 1) % 64) % 64;
    let length = u16::try_from(head.len() + padding + 1).unwrap_or(u16::MAX);
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(length.to_le_bytes());
    file.extend(
        head.bytes()
            .chain(std::iter::repeat_n(b' ', padding))
            .chain([b'\n']),
    );
    file.extend(bytes);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_file_begins_its_data_at_a_multiple_of_64() {
        let file = npy_file("<f8", &[2, 3], &[0; 48]);
        assert_eq!((file.len() - 48) % 64, 0);
        assert!(file.starts_with(b"\x93NUMPY\x01\x00"));
        let head = String::from_utf8_lossy(&file[10..file.len() - 48]).into_owned();
        assert!(
            head.contains("'shape': (2, 3,)") && head.ends_with('\n'),
            "{head}"
        );
    }
}
