//! Compressing a dataset on all cores that the job has.
//!
//! The library's own filters work on one core. These give the same bytes as shuffle and deflate there (HDF5 File
//! Format Specification, section IV.A.2.l, and RFC 1950), so that any reader takes them for its own.

use std::io::Write;
use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use hdf5_metno_sys::h5d::H5Dwrite_chunk;
use hdf5_metno_sys::h5p::H5P_DEFAULT;
use runledger_context::Bytes;

use super::Outcome;
use super::dataset::unreadable;
use super::handle::{Handle, call};
use super::slabs::{Slab, Slabs};

/// In the mask of filters that a chunk goes without: deflate, the second.
const WITHOUT_DEFLATE: u32 = 1 << 1;

/// A chunk as it is in the file.
struct Chunk {
    offset: Vec<u64>,
    bytes: Vec<u8>,
    without: u32,
}

/// Fills a dataset whose chunks are `slabs` and whose filters are shuffle and deflate.
pub(super) fn fill(
    dataset: &Handle,
    slabs: &Slabs,
    bytes: &Bytes,
    element: usize,
    level: u32,
) -> Outcome {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    // What is compressed waits until all of a round are: memory for two chunks a core.
    let round = 2 * cores as u64;
    for first in (0..slabs.count()).step_by(2 * cores) {
        let numbers = first..slabs.count().min(first + round);
        let waiting = Mutex::new(numbers);
        let work = || {
            let next = || waiting.lock().ok()?.next();
            std::iter::from_fn(next)
                .map(|number| compressed(slabs, &slabs.slab(number), bytes, element, level))
                .collect::<Outcome<Vec<Chunk>>>()
        };
        let chunks = thread::scope(|scope| {
            let others: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let joined = others.into_iter().map(|other| other.join());
            joined
                .map(|done| done.unwrap_or_else(|_| Err("compressing failed".into())))
                .collect::<Outcome<Vec<_>>>()
        })?;
        for chunk in chunks.iter().flatten() {
            write(dataset, chunk)?;
        }
    }
    Ok(())
}

fn compressed(
    slabs: &Slabs,
    slab: &Slab,
    bytes: &Bytes,
    element: usize,
    level: u32,
) -> Outcome<Chunk> {
    let mut content = bytes.part(slab.start, slab.length).map_err(unreadable)?;
    if content.len() < slabs.bytes() {
        // A chunk at the edge has its full size in the file.
        content.to_mut().resize(slabs.bytes(), 0);
    }
    let shuffled = shuffled(&content, element);
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::new(level));
    let deflated = deflated
        .write_all(&shuffled)
        .and_then(|()| deflated.finish())
        .map_err(|why| format!("compressing: {why}"))?;
    let gains = deflated.len() < shuffled.len();
    Ok(Chunk {
        offset: slab.offset.clone(),
        bytes: if gains { deflated } else { shuffled },
        without: if gains { 0 } else { WITHOUT_DEFLATE },
    })
}

/// The first bytes of all elements, then their second bytes, and so on.
fn shuffled(content: &[u8], element: usize) -> Vec<u8> {
    if element <= 1 {
        return content.to_vec();
    }
    let mut shuffled = Vec::with_capacity(content.len());
    for byte in 0..element {
        shuffled.extend(content.iter().skip(byte).step_by(element));
    }
    shuffled
}

fn write(dataset: &Handle, chunk: &Chunk) -> Outcome {
    call!(
        "writing a chunk",
        H5Dwrite_chunk(
            dataset.id(),
            H5P_DEFAULT,
            chunk.without,
            chunk.offset.as_ptr(),
            chunk.bytes.len(),
            chunk.bytes.as_ptr().cast()
        )
    )
    .map(drop)
}
