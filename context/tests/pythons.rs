//! The runtime works in every Python that users may have.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use runledger_context::value::{Array, Data, Dtype, Outcome};
use support::{Folder, python, seconds};

const FILE: &str = include_str!("pythons_context.py");

const SERVICE: &str = r#"
class Proposal:
    def __init__(self, number): pass
    def __getitem__(self, run): return self
    def run_type(self): return "Calibration"
    def sample_name(self): raise LookupError("no sample")
"#;

const EXPECTED: &[(&str, &str)] = &[
    ("bare", "[0.0, 1.0, 2.0, 3.0]"),
    ("total", "[0.0, 6.0, 12.0, 18.0]"),
    ("handled", "object 56 1234 ''"),
    ("coloured", "text"),
    ("skipped", "Skip: not today"),
    (
        "broken",
        "IndexError: index 5 is out of bounds for axis 0 with size 3",
    ),
    (
        "after",
        "DependencyError: Skipped due to missing dependency:\n\
         ├ (broken) failed: IndexError: index 5 is out of bounds for axis 0 with size 3\n\
         └ (skipped) failed: Skip: not today",
    ),
    (
        "after_skips",
        "Skip: Skipped due to missing dependency:\n└ (skipped) failed: Skip: not today",
    ),
    ("spared", "default"),
    ("matched", "bare total"),
    (
        "unstorable",
        "TypeError: Returned data type <class 'object'> cannot be saved",
    ),
    ("kind", "Calibration"),
    ("sample", "LookupError: no sample"),
    ("pooled", "[2, 4]"),
    ("place", "context context.py 0"),
    ("piped", "[0.0, 4.0, 8.0, 12.0] mm ContextFileErrors"),
    ("one.energy", "[300.0]"),
    (
        "one.scaled",
        "Skip: Dependencies returned no data:\n- 'one.__missing__.source'",
    ),
    ("two.energy", "[600.0]"),
    (
        "two.scaled",
        "Skip: Dependencies returned no data:\n- 'two.__missing__.source'",
    ),
    ("two.ratio", "[1.2]"),
    ("two.all_of_it", "['two.detector.energy'] no source"),
    ("two.detector.energy", "[500.0]"),
    (
        "two.detector.scaled",
        "Skip: Dependencies returned no data:\n- 'two.detector.__missing__.source'",
    ),
    ("three.energy", "[200.0]"),
    (
        "three.scaled",
        "Skip: Dependencies returned no data:\n- 'three.__missing__.source'",
    ),
    (
        "three.ratio",
        "Skip: Dependencies returned no data:\n- 'three.__missing__.detector.energy'",
    ),
    (
        "three.all_of_it",
        "Skip: Dependencies returned no data:\n- 'three.__missing__.detector._'",
    ),
    (
        "refusals",
        "TypeError TypeError TypeError TypeError GroupError",
    ),
];

/// Every file of the runtime is imported, by itself.
const IMPORT_ALL: &str = r#"
import importlib, os, sys
folder = sys.argv[1]
sys.path.insert(0, folder)
for name in sorted(os.listdir(folder + "/runledger_runtime")):
    if name.endswith(".py"):
        importlib.import_module("runledger_runtime." + name[:-3])
import damnit_ctx
"#;

const PARSE_ALL: &str = r#"
import ast, os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith(".py"):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                ast.parse(file.read(), path, feature_version=(3, 9))
"#;

fn runtime() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// Version → interpreter: the tests' own, those of `RUNLEDGER_TEST_PYTHONS` (separated by colons), and what
/// is on PATH by the name of its version and has NumPy.
fn pythons() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for minor in 9..=13 {
        let path = PathBuf::from(format!("python3.{minor}"));
        found.extend(version(&path).ok().map(|version| (version, path)));
    }
    let named = std::env::var_os("RUNLEDGER_TEST_PYTHONS").unwrap_or_default();
    let named = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty());
    for path in named.chain([python()]) {
        let version = version(&path)
            .unwrap_or_else(|why| panic!("{} is no Python with NumPy: {why}", path.display()));
        found.insert(version, path);
    }
    found
}

/// Like `3.9`; or why this is no Python with NumPy.
fn version(python: &Path) -> Result<String, String> {
    let code = "import sys, numpy; print('%d.%d' % sys.version_info[:2])";
    let output = Command::new(python).args(["-c", code]).output();
    let output = output.map_err(|why| why.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn outcomes(folder: &Folder, python: PathBuf) -> BTreeMap<String, String> {
    let mut worker =
        runledger_context::worker::Worker::start(folder.setup_with(python), &seconds(120)).unwrap();
    let mut request = support::mock_request(worker.manifest().order.clone());
    request.params.insert("factor".into(), 3.into());
    let heard = support::evaluate(&mut worker, &request, &seconds(120));
    let outcomes = heard.outcomes().into_iter();
    outcomes
        .map(|(name, outcome)| (name.to_owned(), shown(outcome)))
        .collect()
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => format!("{}: {}", why.class, why.message),
        Outcome::Cell(cell) => match &cell.data {
            Some(Data::Text(text)) => text.clone(),
            Some(Data::Array(array)) => format!("{:?}", numbers(array)),
            other => panic!("{other:?}"),
        },
    }
}

fn numbers(array: &Array) -> Vec<f64> {
    assert_eq!(array.dtype, Dtype::Plain("<f8".into()));
    let numbers = array.bytes.in_memory().unwrap().chunks_exact(8);
    numbers
        .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

#[test]
fn every_python_evaluates_all_of_the_language_alike() {
    let expected: BTreeMap<String, String> = EXPECTED
        .iter()
        .map(|(name, outcome)| (name.to_string(), outcome.to_string()))
        .collect();
    for (version, python) in pythons() {
        let folder = Folder::with_exactly(FILE);
        folder.write("extra_proposal.py", SERVICE);
        println!("Python {version}: {}", python.display());
        assert_eq!(outcomes(&folder, python), expected, "Python {version}");
    }
}

#[test]
fn every_python_imports_every_file_of_the_runtime() {
    for (version, python) in pythons() {
        let mut command = Command::new(python);
        let output = command
            .args(["-B", "-c", IMPORT_ALL])
            .arg(runtime())
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "Python {version}:\n{log}");
    }
}

#[test]
fn every_file_of_the_runtime_keeps_to_the_grammar_of_python_3_9() {
    let mut command = Command::new(python());
    let output = command
        .args(["-c", PARSE_ALL])
        .arg(runtime())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
}
