//! Cutting an array into slabs: blocks of at most about a megabyte whose elements lie one after the other in C order.
//!
//! An array that is too large for memory is written slab by slab; of a compressed one each slab is a chunk.

/// The bytes of a slab, unless a single element has more.
const SIZE: u64 = 1 << 20;
/// The length of a chunk along a dimension that has no length yet, as h5netcdf has it.
const EMPTY: u64 = 1024;

/// The slabs of an array.
pub(super) struct Slabs {
    lengths: Vec<u64>,
    /// The lengths of a whole slab: 1 along the first dimensions, then a part, then all.
    pub(super) shape: Vec<u64>,
    element: u64,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slab {
    /// Its first element.
    pub(super) offset: Vec<u64>,
    /// Its lengths; the last one along a dimension may be shorter than the others.
    pub(super) shape: Vec<u64>,
    /// Its first byte.
    pub(super) start: usize,
    /// Its bytes.
    pub(super) length: usize,
}

impl Slabs {
    /// Of an array of `lengths`, of elements of `element` bytes.
    pub(super) fn new(lengths: &[usize], element: usize) -> Self {
        let lengths: Vec<u64> = lengths.iter().map(|n| *n as u64).collect();
        let element = element.max(1) as u64;
        let mut shape: Vec<u64> = lengths
            .iter()
            .map(|n| if *n == 0 { EMPTY } else { *n })
            .collect();
        for dimension in 0..shape.len() {
            let inner: u64 = shape[dimension + 1..].iter().fold(element, saturating);
            shape[dimension] = shape[dimension].min((SIZE / inner).max(1));
        }
        Self {
            lengths,
            shape,
            element,
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        let along = self.lengths.iter().zip(&self.shape);
        along.map(|(all, part)| all.div_ceil(*part)).product()
    }

    /// The slab with a number from 0 on, in C order.
    pub(super) fn slab(&self, number: u64) -> Slab {
        let mut left = number;
        let mut offset = vec![0; self.shape.len()];
        for dimension in (0..self.shape.len()).rev() {
            let count = self.lengths[dimension].div_ceil(self.shape[dimension]);
            offset[dimension] = left % count * self.shape[dimension];
            left /= count;
        }
        let bounds = self.lengths.iter().zip(&self.shape).zip(&offset);
        let shape: Vec<u64> = bounds
            .map(|((all, part), from)| (*part).min(all - from))
            .collect();
        let first = self
            .lengths
            .iter()
            .zip(&offset)
            .fold(0, |sum, (length, from)| sum * length + from);
        Slab {
            start: in_memory(first * self.element),
            length: in_memory(shape.iter().product::<u64>() * self.element),
            offset,
            shape,
        }
    }

    /// The bytes of a whole slab.
    pub(super) fn bytes(&self) -> usize {
        in_memory(self.shape.iter().product::<u64>() * self.element)
    }
}

fn saturating(product: u64, length: &u64) -> u64 {
    product.saturating_mul(*length)
}

/// Sizes of arrays that are there.
fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_array_is_one_slab() {
        let slabs = Slabs::new(&[10, 20], 8);
        assert_eq!((slabs.count(), slabs.shape.as_slice()), (1, &[10, 20][..]));
        assert_eq!(Slabs::new(&[0], 4).shape, [1024]);
    }

    #[test]
    fn slabs_follow_each_other_without_gaps() {
        for (shape, element) in [
            (&[3_000_000][..], 8),
            (&[5, 700, 1000], 4),
            (&[2, 3_000_000], 1),
            (&[7, 2_000_000, 1], 3),
            (&[4, 3], 2 << 20),
        ] {
            let slabs = Slabs::new(shape, element);
            let mut end = 0;
            for number in 0..slabs.count() {
                let slab = slabs.slab(number);
                assert_eq!(slab.start, end, "{shape:?}");
                assert!(slab.length <= slabs.bytes() && slabs.bytes() <= element.max(1 << 20));
                end += slab.length;
            }
            assert_eq!(end, shape.iter().product::<usize>() * element, "{shape:?}");
        }
    }
}
