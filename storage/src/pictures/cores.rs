//! Large pictures on all cores of the job.

use std::num::NonZero;
use std::ops::Range;
use std::thread;

/// Work on fewer elements is done before another thread has begun.
const WORTHWHILE: usize = 1 << 17;

/// What `work` makes of each of as many parts of `0..length` as are worthwhile for `elements` elements, in order.
pub(super) fn in_parts<T: Send>(
    length: usize,
    elements: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let parts = (elements / WORTHWHILE).clamp(1, cores).min(length.max(1));
    let part = |number: usize| number * length / parts..(number + 1) * length / parts;
    let work = &work;
    thread::scope(|scope| {
        let other = |number| {
            let range = part(number);
            // Where the system gives no more threads, this one does it.
            let thread = thread::Builder::new().spawn_scoped(scope, move || work(range));
            thread.map_err(|_| number)
        };
        let others: Vec<_> = (1..parts).map(other).collect();
        let mut all = vec![work(part(0))];
        all.extend(others.into_iter().map(|thread| {
            match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|why| std::panic::resume_unwind(why)),
                Err(number) => work(part(number)),
            }
        }));
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_without_gaps() {
        for (length, elements) in [(0, 0), (1, 1 << 30), (300, 10), (300, 1 << 30)] {
            let parts = in_parts(length, elements, |part| part);
            let all: Vec<usize> = parts.into_iter().flatten().collect();
            assert_eq!(all, (0..length).collect::<Vec<_>>());
        }
    }
}
