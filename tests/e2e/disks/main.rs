//! Disks that are full, used up, read-only, slow, or do not keep what they took: each part says what is wrong, loses
//! nothing, and goes on when the disk is well again. Programs have their files on a `FaultyDisk`, or on one that is small.

mod inbox;
mod jobs;
mod locked;
mod merging;
mod migrating;
mod small;
mod submitted;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use runledger_tests::{FaultyDisk, Finished, Service, Site, eventually, python};

/// A number of the run table.
fn value(site: &Site, run: u32, name: &str) -> Option<f64> {
    let of = format!("run = {run} AND name = '{name}'");
    site.number(&format!("SELECT value FROM run_variables WHERE {of}"))
}

/// What is in a run's file under this name, all numbers added up; None where that cannot be read.
fn sum_in_file(site: &Site, run: u32, name: &str) -> Option<f64> {
    let script = "import h5py, sys\nprint(h5py.File(sys.argv[1])[sys.argv[2]]['data'][()].sum())";
    let file = site.db().join(format!("extracted_data/p1234_r{run}.h5"));
    let arguments = [
        OsStr::new("-c"),
        script.as_ref(),
        file.as_ref(),
        name.as_ref(),
    ];
    let read = Finished::of(Command::new(python()).args(arguments));
    read.stdout.trim().parse().ok()
}

/// Fragments, whole or not, and drafts: all but the runs' files.
fn left_over(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.db().join("extracted_data"));
    let names = entries.into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.matches('.').count() > 1 || name.contains("composing"))
        .collect()
}

/// A service of the binary that has its files on the disk.
fn service_on(disk: &FaultyDisk, site: &Site, arguments: &[&str]) -> Service {
    let log = site.path(&format!("{}.log", arguments[0]));
    let mut command = site.command(&site.listener(), arguments);
    Service::start(disk.under(&mut command), &log)
}

/// The binary in the database's folder, with its files on the disk.
fn run_on(disk: &FaultyDisk, site: &Site, arguments: &[&str]) -> Finished {
    Finished::of(disk.under(&mut site.command(&site.db(), arguments)))
}

/// Waits until the fault of this number has been met.
#[track_caller]
fn meets(disk: &FaultyDisk, number: usize, service: &Service) {
    let explain = || format!("{:?}\n{}", disk.met(), service.said());
    let begins = format!("{number} ");
    eventually(&format!("fault {number} is met"), explain, || {
        disk.met().iter().any(|met| met.starts_with(&begins))
    });
}

#[track_caller]
fn says(service: &Service, words: &str) {
    eventually(words, || service.said(), || service.said().contains(words));
}

/// Whether a file is there, by a part of its name.
fn is_there(folder: &Path, part: &str) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|name| name.contains(part))
}
