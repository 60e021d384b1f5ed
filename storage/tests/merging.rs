//! Run files that are added to again and again have what files have that are composed at once.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use runledger_context::value::Outcome;
use runledger_storage::fragment::{ready_fragments, summaries};
use runledger_storage::run_file;
use serde_json::json;

use support::results::{RUN, any, fragment, merge_all, numbers};

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// How many merges, and the seed of what is merged: `RUNLEDGER_TEST_MERGES="1000 SEED"`.
fn how_many() -> (usize, u64) {
    let given = std::env::var("RUNLEDGER_TEST_MERGES").unwrap_or("25 1".into());
    let mut words = given.split(' ').map(|word| word.parse::<u64>().unwrap());
    let count = words.next().unwrap();
    (count as usize, words.next().unwrap_or(count))
}

/// A database, one with all of its fragments, and a folder for copies of what their run files were.
struct Folders {
    merged: tempfile::TempDir,
    all: tempfile::TempDir,
    seen: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        let [merged, all, seen] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        fs::create_dir(all.path().join("extracted_data")).unwrap();
        Self { merged, all, seen }
    }

    /// A fragment that is merged at once, and one for later.
    fn write(&self, token: &str, outcomes: &[(String, Outcome)]) {
        let path = fragment(self.merged.path(), token, outcomes);
        let place = self.all.path().join("extracted_data");
        let copy = place.join(path.file_name().unwrap());
        fs::copy(&path, &copy).unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&copy).unwrap();
        file.set_modified(written).unwrap();
    }

    /// Merges what is new with `merge`; composes all there has been; keeps both.
    fn merge(&self, number: usize, merge: impl FnOnce(&Path)) {
        merge(self.merged.path());
        let all = ready_fragments(self.all.path(), None).unwrap();
        run_file::merge(self.all.path(), RUN, &all).unwrap();
        let keep = |name| self.seen.path().join(format!("{number}.{name}.h5"));
        fs::copy(self.run_file(), keep("added")).unwrap();
        fs::rename(run_file::path(self.all.path(), RUN), keep("composed")).unwrap();
    }

    /// What is wrong with what was kept of so many merges.
    fn compare(&self, python: &Path, merges: usize) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/merging/check.py");
        let mut check = Command::new(python);
        let output = check.arg(script).arg(self.seen.path()).output().unwrap();
        match output.stdout.starts_with(format!("{merges} ").as_bytes()) {
            true => String::new(),
            false => format!("{output:?}"),
        }
    }

    fn run_file(&self) -> PathBuf {
        run_file::path(self.merged.path(), RUN)
    }
}

fn inode(path: &Path) -> Option<u64> {
    Some(fs::metadata(path).ok()?.ino())
}

#[test]
fn a_file_that_is_added_to_has_what_one_has_that_is_composed() {
    let Some(python) = support::python() else {
        return;
    };
    let folders = Folders::new();
    let (merges, seed) = how_many();
    let mut dice = Dice(seed);
    let mut added = 0;
    for merge in 0..merges {
        for part in 0..1 + dice.below(3) {
            let outcomes = some_outcomes(&mut dice, merge == 0);
            folders.write(&format!("{merge}-{part}"), &outcomes);
        }
        let before = inode(&folders.run_file());
        folders.merge(merge, merge_all);
        added += usize::from(before == inode(&folders.run_file()));
    }
    assert!(added > merges / 2, "{added} of {merges} were added");
    let wrong = folders.compare(&python, merges);
    assert_eq!(wrong, "", "RUNLEDGER_TEST_MERGES=\"{merges} {seed}\"");
}

#[test]
fn a_large_file_has_a_fourth_more_than_it_needs_at_most_however_often_a_variable_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let place = run_file::path(dir, RUN);
    let replace = |number| {
        let outcomes = [("v".to_owned(), numbers(20_000, number))];
        fragment(dir, &number.to_string(), &outcomes);
        merge_all(dir);
        (inode(&place), fs::metadata(&place).unwrap().blocks() * 512)
    };
    let both = [("big", numbers(600_000, 1)), ("v", numbers(20_000, 0))];
    fragment(dir, "0", &both.map(|(name, one)| (name.to_owned(), one)));
    merge_all(dir);
    let first = fs::metadata(&place).unwrap().blocks() * 512;
    let seen: Vec<_> = (1..30).map(replace).collect();
    let most = seen.iter().map(|(_, size)| *size).max().unwrap();
    // Beside a fourth, the last results before it is composed anew.
    assert!(
        most < first * 5 / 4 + 400_000,
        "{most} bytes, {first} of them alive"
    );
    let added = seen.windows(2).filter(|two| two[0].0 == two[1].0).count();
    assert!((15..29).contains(&added), "{added} of 29 were added");
}

/// Merges a folder's fragments, in the order in which they were written, with DAMNIT's own combiner.
fn merge_as_damnit(python: &Path, dir: &Path) {
    let script = "from pathlib import Path
from damnit.backend.combine import combine
for path in sorted(Path('extracted_data').glob('*.ready.h5'), key=lambda path: path.stat().st_mtime_ns):
    combine(path, Path('extracted_data/p1234_r2.h5'))";
    let mut program = Command::new(python);
    program.args(["-c", script]).current_dir(dir);
    let output = program.env("AMORE_BROKER", "none").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn damnits_combiner_and_ours_take_turns() {
    let Some(python) = support::python() else {
        return;
    };
    let folders = Folders::new();
    let mut dice = Dice(3);
    let mut added = 0;
    for merge in 0..8 {
        let outcomes = some_outcomes(&mut dice, merge == 0);
        folders.write(&format!("{merge}-0"), &outcomes);
        let before = inode(&folders.run_file());
        match merge % 4 {
            3 => folders.merge(merge, |dir| merge_as_damnit(&python, dir)),
            _ => folders.merge(merge, merge_all),
        }
        added += usize::from(before == inode(&folders.run_file()));
    }
    assert!(added > 5, "{added} of 8 were added");
    assert_eq!(folders.compare(&python, 8), "");
}

#[test]
fn damnits_client_reads_a_file_that_was_added_to() {
    let Some(python) = support::python() else {
        return;
    };
    let (folder, mut database) = support::database();
    let dir = folder.path();
    let first = [("big", numbers(600_000, 1)), ("data", any(2, 1))];
    let second = [("data", any(3, 7)), ("words", any(1, 2))];
    for (token, outcomes) in [("first", first), ("second", second)] {
        let outcomes = outcomes.map(|(name, outcome)| (name.to_owned(), outcome));
        let path = fragment(dir, token, &outcomes);
        let summaries = summaries(&path).unwrap();
        let rows = &summaries.rows;
        let _saved = database
            .save_cells(RUN, rows, Some(1.7e9), "context.py")
            .unwrap();
        merge_all(dir);
    }
    let seen = support::ask(
        &python,
        dir,
        "import json
from damnit.api import Damnit
run = Damnit('.')[2]
data = run['data'].read()
print(json.dumps([float(run['big'].read().sum()), data['y'].shape, float(data['s']), run['words'].read()]))",
    );
    let sum = 600_000.0 * 600_001.0 / 2.0;
    assert_eq!(seen, json!([sum, [300, 600], 7.0, "long long "]));
}

/// A few variables' results of any kind; in the first fragment a big one too, so that there is something to add to.
fn some_outcomes(dice: &mut Dice, is_first: bool) -> Vec<(String, Outcome)> {
    let mut outcomes = vec![];
    if is_first {
        outcomes.push(("big".to_owned(), numbers(600_000, 1)));
    }
    for _ in 0..=dice.below(3) {
        let (name, kind) = (format!("v{}", dice.below(12)), dice.below(9));
        outcomes.push((name, any(kind, dice.below(1000))));
    }
    outcomes
}
