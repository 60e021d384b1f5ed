//! Merging while others read, write, or end it.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hdf5_metno::File;
use hdf5_metno::types::VarLenUnicode;
use nix::sys::signal::Signal;
use runledger_context::value::Outcome;
use runledger_storage::fragment::ready_fragments;
use runledger_storage::run_file;

use support::results::{RUN, any, fragment, merge_all, numbers, text};

/// Where a child of the test about kills merges.
const KILLED_IN: &str = "RUNLEDGER_TEST_MERGES_IN";

/// A fragment whose results all tell its number.
fn write(dir: &Path, number: u64) {
    let outcomes = [
        ("a", numbers(2000, number)),
        ("b", text(&number.to_string())),
        ("c", any(2, number)),
    ];
    let outcomes: Vec<(String, Outcome)> = outcomes.map(|(name, one)| (name.into(), one)).into();
    fragment(dir, &format!("{number:06}"), &outcomes);
}

/// A run's file with something large that stays.
fn begin(dir: &Path) {
    fragment(dir, "big", &[("big".into(), numbers(600_000, 1))]);
    merge_all(dir);
}

/// The number of the fragment that a run's file is of.
fn number_in(dir: &Path) -> Option<u64> {
    let file = File::open(run_file::path(dir, RUN)).unwrap();
    assert_eq!(file.dataset("big/data").unwrap().size(), 600_000);
    if !file.link_exists("b") {
        assert!(!file.link_exists("a") && !file.link_exists(".reduced/c"));
        return None;
    }
    let told: VarLenUnicode = file.dataset("b/data").unwrap().read_scalar().unwrap();
    let number: f64 = told.parse().unwrap();
    for path in ["a/data", ".reduced/a", "c/s", "c/y"] {
        let found: Vec<f64> = file.dataset(path).unwrap().read_raw().unwrap();
        assert_eq!(found[0].to_bits(), number.to_bits(), "{path}");
    }
    Some(told.parse().unwrap())
}

/// Another process, which ends when the test does, however that is.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reader(python: &Path, dir: &Path, locking: &str) -> Other {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/merging/read.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .args([dir, &run_file::path(dir, RUN)])
        .arg(locking)
        .stdout(Stdio::piped());
    Other(command.spawn().unwrap())
}

#[test]
fn readers_see_the_results_of_one_merge_whenever_they_read() {
    let Some(python) = support::python() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    begin(dir);
    write(dir, 0);
    merge_all(dir);
    let readers = ["locking", "not"].map(|locking| reader(&python, dir, locking));
    for number in 1..150 {
        write(dir, number);
        merge_all(dir);
    }
    fs::write(dir.join("stop"), "").unwrap();
    for mut reader in readers {
        let seen = std::io::read_to_string(reader.0.stdout.take().unwrap()).unwrap();
        assert!(reader.0.wait().unwrap().success());
        assert!(seen.trim().parse::<u32>().unwrap() > 1, "{seen}");
    }
}

#[test]
fn a_handle_that_this_process_has_open_goes_on_with_what_it_saw_and_lends_it_to_no_merge() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    begin(dir);
    write(dir, 1);
    merge_all(dir);
    let old = File::open(run_file::path(dir, RUN)).unwrap();
    let seen = || old.dataset("a/data").unwrap().read_raw::<f64>().unwrap()[0];
    for number in 2..6 {
        fragment(
            dir,
            &number.to_string(),
            &[(format!("n{number}"), numbers(10, number))],
        );
        merge_all(dir);
        assert_eq!(seen().to_bits(), 1_f64.to_bits());
    }
    drop(old);
    let file = File::open(run_file::path(dir, RUN)).unwrap();
    assert!((2..6).all(|number| file.link_exists(&format!("n{number}/data"))));
}

#[test]
fn a_fragment_that_is_broken_inside_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    begin(dir);
    write(dir, 1);
    merge_all(dir);
    let place = run_file::path(dir, RUN);
    let blocks = || fs::metadata(&place).unwrap().blocks();
    let before = (content(&place), blocks());
    let outcomes = [("a", numbers(200_000, 2)), ("z", any(2, 2))];
    let outcomes = outcomes.map(|(name, one)| (name.to_owned(), one));
    let broken = fragment(dir, "broken", &outcomes);
    let mut bytes = fs::read(&broken).unwrap();
    let last = bytes.windows(4).rposition(|four| four == b"OHDR").unwrap();
    bytes[last] = 0;
    fs::write(&broken, bytes).unwrap();
    let ready = ready_fragments(dir, None).unwrap();
    let why = run_file::merge(dir, RUN, &ready).unwrap_err().to_string();
    assert!(why.contains("broken.ready.h5"), "{why}");
    assert!(before == (content(&place), blocks()));
    assert_eq!(number_in(dir), Some(1));
}

/// All of it but what is behind the end that the superblock tells.
fn content(place: &Path) -> Vec<u8> {
    let mut bytes = fs::read(place).unwrap();
    let end = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
    bytes.truncate(usize::try_from(end).unwrap());
    bytes
}

/// How often a merge is ended: `RUNLEDGER_TEST_KILLS`.
fn rounds() -> u64 {
    let given = std::env::var("RUNLEDGER_TEST_KILLS");
    given.map_or(20, |count| count.parse().unwrap())
}

#[test]
fn whenever_a_merge_is_killed_the_file_is_whole_and_the_next_one_goes_on() {
    if let Some(dir) = std::env::var_os(KILLED_IN) {
        return merge_for_ever(dir.as_ref());
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    begin(dir);
    let mut last = None;
    for round in 0..rounds() {
        let mut child = Other(
            Command::new(std::env::current_exe().unwrap())
                .args([
                    "whenever_a_merge_is_killed_the_file_is_whole_and_the_next_one_goes_on",
                    "--exact",
                ])
                .env(KILLED_IN, dir)
                .stdout(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let until = Instant::now() + Duration::from_secs(60);
        // At least one merge, then any instant.
        while number_in(dir) == last {
            assert!(Instant::now() < until, "no merge in round {round}");
        }
        std::thread::sleep(Duration::from_micros(round * 7919 % 20_000));
        child.0.kill().unwrap();
        assert_eq!(
            child.0.wait().unwrap().signal(),
            Some(Signal::SIGKILL as i32)
        );
        let now = number_in(dir);
        assert!(now >= last, "{now:?} after {last:?}");
        last = now;
    }
    merge_all(dir);
    assert!(number_in(dir) >= last);
}

fn merge_for_ever(dir: &Path) {
    merge_all(dir);
    for number in number_in(dir).map_or(0, |last| last + 1).. {
        write(dir, number);
        merge_all(dir);
    }
}
