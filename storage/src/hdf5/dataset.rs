//! Writing datasets of any type, contiguous or compressed.

use hdf5_metno::Group;
use hdf5_metno::globals::{H5P_DATASET_CREATE, H5P_LINK_CREATE};
use hdf5_metno_sys::h5d::{H5Dcreate2, H5Dget_space, H5Dwrite};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5p::{
    H5P_DEFAULT, H5Pcreate, H5Pset_chunk, H5Pset_create_intermediate_group, H5Pset_deflate,
    H5Pset_fill_value, H5Pset_obj_track_times, H5Pset_shuffle,
};
use hdf5_metno_sys::h5s::{
    H5S_ALL, H5S_UNLIMITED, H5S_class_t, H5S_seloper_t, H5Screate, H5Screate_simple,
    H5Sselect_hyperslab,
};
use runledger_context::Bytes;
use runledger_context::value::{Array, Dtype, Texts};

use super::Outcome;
use super::handle::{Handle, c_string, call};
use super::slabs::{Slab, Slabs};
use super::{compressed, types};

/// How a dataset lies in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// In one piece.
    Contiguous,
    /// In compressed pieces.
    Compressed,
}

const GZIP_LEVEL: u32 = 1;

/// A number or array at `path` below `parent`.
pub(crate) fn write_array(parent: &Group, path: &str, array: &Array) -> Outcome {
    array_dataset(parent, path, array, Layout::Contiguous, None).map(drop)
}

/// Bytes as a 1-D array of uint8.
pub(crate) fn write_bytes(parent: &Group, path: &str, bytes: &Bytes) -> Outcome {
    let array = Array {
        dtype: Dtype::Plain("|u1".into()),
        shape: vec![bytes.len()],
        bytes: bytes.clone(),
    };
    write_array(parent, path, &array)
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
    fill(&made, &kind, array, size, layout)?;
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

/// What is small or in memory at once, what is large piece by piece.
fn fill(dataset: &Handle, kind: &Handle, array: &Array, element: usize, layout: Layout) -> Outcome {
    if array.bytes.is_empty() {
        return Ok(());
    }
    let slabs = Slabs::new(&array.shape, element);
    if layout == Layout::Compressed && slabs.count() > 1 {
        return compressed::fill(dataset, &slabs, &array.bytes, element);
    }
    match array.bytes.in_memory() {
        Some(all) => write_selected(dataset, kind, H5S_ALL, H5S_ALL, all),
        None => (0..slabs.count())
            .try_for_each(|number| fill_slab(dataset, kind, &slabs.slab(number), &array.bytes)),
    }
}

fn fill_slab(dataset: &Handle, kind: &Handle, slab: &Slab, bytes: &Bytes) -> Outcome {
    let part = bytes.part(slab.start, slab.length).map_err(unreadable)?;
    if slab.shape.is_empty() {
        return write_selected(dataset, kind, H5S_ALL, H5S_ALL, &part);
    }
    let here = simple(&slab.shape, &slab.shape)?;
    let there = Handle::of(call!("a shape", H5Dget_space(dataset.id())))?;
    call!(
        "a part of a dataset",
        H5Sselect_hyperslab(
            there.id(),
            H5S_seloper_t::H5S_SELECT_SET,
            slab.offset.as_ptr(),
            std::ptr::null(),
            slab.shape.as_ptr(),
            std::ptr::null()
        )
    )?;
    write_selected(dataset, kind, here.id(), there.id(), &part)
}

/// `bytes` has the elements that `here` selects.
fn write_selected(
    dataset: &Handle,
    kind: &Handle,
    here: hid_t,
    there: hid_t,
    bytes: &[u8],
) -> Outcome {
    let first = bytes.as_ptr().cast();
    call!(
        "writing data",
        H5Dwrite(dataset.id(), kind.id(), here, there, H5P_DEFAULT, first)
    )
    .map(drop)
}

/// Results that wait in a file are read from there.
pub(super) fn unreadable(why: std::io::Error) -> String {
    format!("reading a large result: {why}")
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
        let value = value.bytes.whole().map_err(unreadable)?;
        call!(
            "fill value",
            H5Pset_fill_value(id, kind.id(), value.as_ptr().cast())
        )?;
    }
    let compressed = layout == Layout::Compressed && !shape.is_empty();
    if compressed || shape.contains(&0) {
        let chunk = Slabs::new(shape, element).shape;
        let rank = i32::try_from(chunk.len()).map_err(|_| "too many dimensions")?;
        call!("chunks", H5Pset_chunk(id, rank, chunk.as_ptr()))?;
    }
    if compressed {
        call!("compression", H5Pset_shuffle(id))?;
        call!("compression", H5Pset_deflate(id, GZIP_LEVEL))?;
    }
    Ok(made)
}
