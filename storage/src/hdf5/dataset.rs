//! Writing datasets of any type, contiguous or compressed.

use hdf5_metno::Group;
use hdf5_metno::globals::{H5P_DATASET_CREATE, H5P_LINK_CREATE};
use hdf5_metno_sys::h5d::{H5Dcreate2, H5Dwrite};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5p::{
    H5P_DEFAULT, H5Pcreate, H5Pset_chunk, H5Pset_create_intermediate_group, H5Pset_deflate,
    H5Pset_fill_value, H5Pset_obj_track_times, H5Pset_shuffle,
};
use hdf5_metno_sys::h5s::{H5S_ALL, H5S_UNLIMITED, H5S_class_t, H5Screate, H5Screate_simple};
use runledger_context::value::{Array, Texts};

use super::Outcome;
use super::handle::{Handle, c_string, call};
use super::types;

/// How a dataset lies in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// In one piece.
    Contiguous,
    /// In compressed pieces.
    Compressed,
}

/// A chunk of compressed data has about this many bytes.
const CHUNK: usize = 1 << 20;
/// The length of a chunk along a dimension that has no length yet, as h5netcdf has it.
const EMPTY_CHUNK: u64 = 1024;
const GZIP_LEVEL: u32 = 1;

/// A number or array at `path` below `parent`.
pub(crate) fn write_array(parent: &Group, path: &str, array: &Array) -> Outcome {
    array_dataset(parent, path, array, Layout::Contiguous, None).map(drop)
}

/// Bytes as a 1-D array of uint8.
pub(crate) fn write_bytes(parent: &Group, path: &str, bytes: &[u8]) -> Outcome {
    let (kind, _) = types::type_of(&runledger_context::value::Dtype::Plain("|u1".into()))?;
    let made = create(
        parent,
        path,
        &kind,
        &[bytes.len()],
        1,
        Layout::Contiguous,
        None,
    )?;
    fill(&made, &kind, bytes)
}

/// One text.
pub(crate) fn write_text(parent: &Group, path: &str, text: &str) -> Outcome {
    let one = Texts {
        shape: vec![],
        texts: vec![text.to_owned()],
    };
    write_texts(parent, path, &one)
}

/// An array of texts.
pub(crate) fn write_texts(parent: &Group, path: &str, texts: &Texts) -> Outcome {
    texts_dataset(parent, path, texts, Layout::Contiguous).map(drop)
}

pub(super) fn array_dataset(
    parent: &Group,
    path: &str,
    array: &Array,
    layout: Layout,
    fill_value: Option<&Array>,
) -> Outcome<Handle> {
    let (kind, size) = types::type_of(&array.dtype)?;
    let fill_value =
        fill_value.filter(|value| value.dtype == array.dtype && value.bytes.len() == size);
    check_length(&array.shape, array.bytes.len(), size)?;
    let made = create(parent, path, &kind, &array.shape, size, layout, fill_value)?;
    fill(&made, &kind, &array.bytes)?;
    Ok(made)
}

pub(super) fn texts_dataset(
    parent: &Group,
    path: &str,
    texts: &Texts,
    layout: Layout,
) -> Outcome<Handle> {
    check_length(&texts.shape, texts.texts.len(), 1)?;
    let kind = types::text()?;
    let size = size_of::<*const u8>();
    let strings = texts
        .texts
        .iter()
        .map(|text| c_string(text))
        .collect::<Outcome<Vec<_>>>()?;
    let pointers: Vec<_> = strings.iter().map(|text| text.as_ptr()).collect();
    let made = create(parent, path, &kind, &texts.shape, size, layout, None)?;
    if !pointers.is_empty() {
        call!(
            "writing texts",
            H5Dwrite(
                made.id(),
                kind.id(),
                H5S_ALL,
                H5S_ALL,
                H5P_DEFAULT,
                pointers.as_ptr().cast()
            )
        )?;
    }
    Ok(made)
}

/// The library reads as many elements as the shape says, whatever there is.
fn check_length(shape: &[usize], found: usize, element: usize) -> Outcome {
    let wanted = shape
        .iter()
        .try_fold(element, |product, n| product.checked_mul(*n));
    match wanted == Some(found) {
        true => Ok(()),
        false => Err(format!(
            "{found} bytes or texts do not fill the shape {shape:?}"
        )),
    }
}

fn fill(dataset: &Handle, kind: &Handle, bytes: &[u8]) -> Outcome {
    if bytes.is_empty() {
        return Ok(());
    }
    let all = bytes.as_ptr().cast();
    call!(
        "writing data",
        H5Dwrite(dataset.id(), kind.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, all)
    )
    .map(drop)
}

pub(super) fn create(
    parent: &Group,
    path: &str,
    kind: &Handle,
    shape: &[usize],
    element: usize,
    layout: Layout,
    fill_value: Option<&Array>,
) -> Outcome<Handle> {
    let space = space(shape)?;
    let creation = creation(kind, shape, element, layout, fill_value)?;
    let links = Handle::of(call!("link properties", H5Pcreate(*H5P_LINK_CREATE)))?;
    call!(
        "link properties",
        H5Pset_create_intermediate_group(links.id(), 1)
    )?;
    let name = c_string(path)?;
    Handle::of(call!(
        "making a dataset",
        H5Dcreate2(
            parent.id(),
            name.as_ptr(),
            kind.id(),
            space.id(),
            links.id(),
            creation.id(),
            H5P_DEFAULT
        )
    ))
}

/// A dimension without length can grow.
fn space(shape: &[usize]) -> Outcome<Handle> {
    if shape.is_empty() {
        return scalar();
    }
    let lengths: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
    let limits: Vec<u64> = lengths
        .iter()
        .map(|n| if *n == 0 { H5S_UNLIMITED } else { *n })
        .collect();
    simple(&lengths, &limits)
}

pub(super) fn scalar() -> Outcome<Handle> {
    Handle::of(call!("a scalar", H5Screate(H5S_class_t::H5S_SCALAR)))
}

pub(super) fn simple(lengths: &[u64], limits: &[u64]) -> Outcome<Handle> {
    let rank = i32::try_from(lengths.len()).map_err(|_| "too many dimensions")?;
    Handle::of(call!(
        "a shape",
        H5Screate_simple(rank, lengths.as_ptr(), limits.as_ptr())
    ))
}

fn creation(
    kind: &Handle,
    shape: &[usize],
    element: usize,
    layout: Layout,
    fill_value: Option<&Array>,
) -> Outcome<Handle> {
    let made = Handle::of(call!("dataset properties", H5Pcreate(*H5P_DATASET_CREATE)))?;
    let id: hid_t = made.id();
    // The same results give the same file.
    call!("dataset properties", H5Pset_obj_track_times(id, 0))?;
    if let Some(value) = fill_value {
        call!(
            "fill value",
            H5Pset_fill_value(id, kind.id(), value.bytes.as_ptr().cast())
        )?;
    }
    let compressed = layout == Layout::Compressed && !shape.is_empty();
    if compressed || shape.contains(&0) {
        let chunk = chunk(shape, element);
        let rank = i32::try_from(chunk.len()).map_err(|_| "too many dimensions")?;
        call!("chunks", H5Pset_chunk(id, rank, chunk.as_ptr()))?;
    }
    if compressed {
        call!("compression", H5Pset_shuffle(id))?;
        call!("compression", H5Pset_deflate(id, GZIP_LEVEL))?;
    }
    Ok(made)
}

/// The array's shape, with the longest side halved until a chunk is small enough.
fn chunk(shape: &[usize], element: usize) -> Vec<u64> {
    let start = |n: &usize| if *n == 0 { EMPTY_CHUNK } else { *n as u64 };
    let mut chunk: Vec<u64> = shape.iter().map(start).collect();
    let limit = (CHUNK / element.max(1)).max(1) as u64;
    while chunk.iter().product::<u64>() > limit {
        let Some(longest) = chunk.iter_mut().max() else {
            break;
        };
        *longest = longest.div_ceil(2);
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_about_a_megabyte_and_never_larger_than_the_array() {
        assert_eq!(chunk(&[10, 20], 8), [10, 20]);
        let large = chunk(&[16, 512, 1024, 3], 4);
        assert!(large.iter().product::<u64>() * 4 <= 1 << 20, "{large:?}");
        assert!(
            large
                .iter()
                .zip([16, 512, 1024, 3])
                .all(|(part, all)| *part <= all)
        );
        assert_eq!(chunk(&[0], 4), [1024]);
    }
}
