//! What a process that merges may take. A small file of hostile make can cost HDF5 any memory, and any time.
//!
//! The system ends who goes beyond it, and what was read is looked into then, as after a crash ([`super::suspects`]).

use std::fs;
use std::path::Path;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use runledger_context::run::RunId;
use runledger_storage::{fragment, run_file};
use tracing::warn;

use super::work::Work;

/// Memory for data, in bytes. Merging goes through results piece by piece; the largest piece is a chunk of an array.
const MEMORY: u64 = 4 << 30;
/// Seconds of the processor for looking through a folder: those in which it waits, for a disk or a lock, do not count.
const LOOKING: u64 = 60;
/// The same for merging.
const MERGING: u64 = 600;
/// One more for so many bytes that there are to merge.
const BYTES_A_SECOND: u64 = 1 << 20;

/// Limits the memory of this process for good.
pub(super) fn limit_memory() {
    limit(Resource::RLIMIT_DATA, MEMORY);
}

/// Limits the time that this process takes from now on.
pub(super) fn limit_time(work: &Work) {
    let seconds = work.run().map_or(LOOKING, |run| {
        MERGING + bytes_of(work.folder(), run) / BYTES_A_SECOND
    });
    limit(Resource::RLIMIT_CPU, taken() + seconds);
}

/// What the administrator lets it have stays the most that it can have. At that limit itself the system would end it by
/// SIGKILL, which tells nothing.
fn limit(what: Resource, most: u64) {
    let below = |hard: u64| most.min(hard.saturating_sub(1));
    let limited = getrlimit(what).and_then(|(_, hard)| setrlimit(what, below(hard), hard));
    if let Err(why) = limited {
        warn!("{what:?} of this process cannot be limited: {why}");
    }
}

/// Seconds of the processor that this process has had.
fn taken() -> u64 {
    let seconds = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| {
        usage.user_time().tv_sec() + usage.system_time().tv_sec()
    });
    u64::try_from(seconds).unwrap_or(0)
}

fn bytes_of(folder: &Path, run: RunId) -> u64 {
    let fragments = fragment::ready_fragments(folder, Some(run)).unwrap_or_default();
    let paths = fragments.into_iter().map(|fragment| fragment.path);
    let lengths = paths
        .chain([run_file::path(folder, run)])
        .filter_map(|path| fs::symlink_metadata(path).ok())
        .map(|found| found.len());
    lengths.fold(0, u64::saturating_add)
}
