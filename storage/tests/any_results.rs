//! Results of any kind, shape, type, byte order and name go through the worker, fragments and a merge, and
//! are read back by xarray and h5py as what they were.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use runledger_context::run::RunId;
use runledger_context::value::{Failure, Outcome};
use runledger_context::worker::{End, Event};
use runledger_storage::fragment::{FragmentWriter, ready_fragments, remove};
use runledger_storage::run_file;

const FILES: [(&str, &str); 3] = [
    ("context.py", include_str!("any_results/context.py")),
    ("objects.py", include_str!("any_results/objects.py")),
    ("check.py", include_str!("any_results/check.py")),
];

/// How many results, and the seed that they are made of. `RUNLEDGER_TEST_RESULTS=10000` makes other ones each time,
/// `RUNLEDGER_TEST_RESULTS="10000 SEED"` those of a seed again.
fn how_many() -> String {
    match std::env::var("RUNLEDGER_TEST_RESULTS") {
        Err(_) => "250 0".into(),
        Ok(given) if given.contains(' ') => given,
        Ok(count) => format!("{count} {}", std::process::id()),
    }
}

/// What becomes of every variable of the folder's context file.
fn outcomes(python: &Path, folder: &Path) -> Vec<(String, Outcome)> {
    let mut found = Vec::new();
    let end = support::evaluate(python, folder, run(), &mut |event| {
        if let Event::Outcome { name, outcome, .. } = event {
            found.push((name, outcome));
        }
    });
    assert_eq!(end, End::Finished);
    found
}

fn run() -> RunId {
    RunId::new(1, 2)
}

/// Saves outcomes in a fragment; returns what could not be saved, and what had failed before.
fn save(folder: &Path, token: &str, all: &[(String, Outcome)]) -> BTreeMap<String, String> {
    let mut writer = FragmentWriter::create(folder, run(), token, "context.py").unwrap();
    let mut failures = BTreeMap::new();
    for (name, outcome) in all {
        if let Outcome::Failed(Failure { class, message }) = outcome {
            failures.insert(name.clone(), format!("{class}: {message}"));
        }
        if let Err(error) = writer.save(name, outcome) {
            assert!(error.is_not_storable(), "{error}");
            failures.insert(name.clone(), error.to_string());
        }
    }
    writer.finish().unwrap();
    failures
}

fn merge(folder: &Path) {
    for fragment in ready_fragments(folder, None).unwrap() {
        run_file::merge(folder, run(), std::slice::from_ref(&fragment)).unwrap();
        remove(&fragment).unwrap();
    }
}

#[test]
fn results_of_any_kind_are_read_back_as_they_were() {
    let Some(python) = support::python() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in FILES {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let how_many = how_many();
    fs::write(folder.path().join("how_many"), &how_many).unwrap();
    let all = outcomes(&python, folder.path());
    // Two fragments that overlap: everything is merged twice, half of it replaces itself. They are added to something
    // that is large enough to be added to.
    let large = [("large".to_owned(), support::results::numbers(4 << 20, 1))];
    assert!(save(folder.path(), "0", &large).is_empty());
    merge(folder.path());
    let before = fs::metadata(run_file::path(folder.path(), run())).unwrap();
    let (first, rest) = all.split_at(all.len() / 2);
    let mut failures = save(folder.path(), "a", first);
    failures.extend(save(folder.path(), "b", &all));
    assert!(!rest.is_empty());
    merge(folder.path());
    let after = fs::metadata(run_file::path(folder.path(), run())).unwrap();
    assert_eq!(before.ino(), after.ino());
    let told = serde_json::to_string(&failures).unwrap();
    fs::write(folder.path().join("failures.json"), told).unwrap();
    let file = run_file::path(folder.path(), run());
    let checked = Command::new(python)
        .arg("check.py")
        .args([file.as_os_str(), "failures.json".as_ref()])
        .current_dir(folder.path())
        .env("AMORE_BROKER", "none")
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "once more: RUNLEDGER_TEST_RESULTS=\"{how_many}\"\n{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}
