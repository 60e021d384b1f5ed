//! Bytes from elsewhere, for everything that reads some: the same functions for the fuzzer (`./x fuzz`) and for the
//! tests, which replay the corpus.
//!
//! Whatever the bytes are, a target comes back: no panic, no hang, no more memory than the bytes justify. What HDF5
//! itself does with a file is another matter: see `docs/RELIABILITY.md`.

mod building;
mod checksums;
mod fragments;
mod messages;
mod pictures;
mod tables;
mod worker;

/// Something that reads bytes from elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Reads them; what comes of it does not matter.
    pub read: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    target("notifications", messages::notification),
    target("submissions", messages::submission),
    target("configuration", messages::configuration),
    target("slurm", messages::slurm),
    target("worker", worker::conversation),
    target("results", worker::results),
    target("drawing", pictures::png),
    target("fragments", fragments::fragment),
    target("leftovers", fragments::leftover),
    target("run_files", fragments::run_file),
    target("built_fragments", building::built),
    target("tables", tables::table),
    target("ledgers", tables::ledger),
];

const fn target(name: &'static str, read: fn(&[u8])) -> Target {
    Target { name, read }
}

impl Target {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}
