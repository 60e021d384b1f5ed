//! Reading a context file: what it declares, and everything that can be wrong with it or with Python.

mod support;

use runledger_context::manifest::Problem;
use runledger_context::run::RunData;
use runledger_context::worker::{Setup, Worker};
use runledger_context::{Error, Result};
use support::{Folder, python, seconds};

fn problems(folder: &Folder) -> Vec<Problem> {
    match folder.refusal() {
        Error::ContextFile { problems, .. } => problems,
        other => panic!("{other}"),
    }
}

fn start_with(folder: &Folder, fake: &str) -> Result<Worker> {
    Worker::start(folder.setup_with(folder.script(fake)), &seconds(20))
}

#[test]
fn a_manifest_tells_what_the_file_declares() {
    let folder = Folder::with(
        r#"
@Variable(title="Mean of all", tags="beam", units="mJ", summary="mean", cluster=True)
def mean(run, data: "var#image"):
    """The average."""

@Variable(transient=True, data="proc")
def image(run):
    pass
"#,
    );
    let worker = folder.start().unwrap();
    let manifest = worker.manifest();
    let mean = manifest.variable("mean").unwrap();
    assert_eq!(mean.title, "Mean of all");
    assert_eq!(mean.description.as_deref(), Some("The average."));
    assert_eq!(mean.tags.as_deref(), Some(["beam".to_string()].as_slice()));
    assert_eq!(
        (mean.units.as_deref(), mean.summary.as_deref()),
        (Some("mJ"), Some("mean"))
    );
    assert_eq!(mean.dependencies, ["image"]);
    assert_eq!(manifest.order, ["image", "mean"]);
    assert_eq!(
        manifest
            .stored()
            .map(|v| v.name.as_str())
            .collect::<Vec<_>>(),
        ["mean"]
    );
}

#[test]
fn data_and_cluster_pass_on_to_dependents() {
    let folder = Folder::with(
        r#"
@Variable(data="proc")
def a(run): pass
@Variable(cluster=True)
def b(run, a: "var#a"): pass
@Variable
def c(run, b: "var#b"): pass
"#,
    );
    let worker = folder.start().unwrap();
    let c = worker.manifest().variable("c").unwrap();
    assert_eq!((c.data, c.cluster), (RunData::Proc, true));
    assert!(!worker.manifest().variable("a").unwrap().cluster);
}

#[test]
fn the_last_of_two_functions_with_one_name_counts_and_imported_variables_too() {
    let folder = Folder::with(
        r#"
from shared import imported
@Variable(title="first")
def a(run): pass
@Variable(title="second")
def a(run): pass
"#,
    );
    folder.write(
        "shared.py",
        "from damnit.context import Variable\n@Variable\ndef imported(run): pass\n",
    );
    let worker = folder.start().unwrap();
    let titles: Vec<_> = worker
        .manifest()
        .variables
        .iter()
        .map(|v| v.title.as_str())
        .collect();
    assert_eq!(titles, ["imported", "second"]);
}

#[test]
fn a_syntax_error_is_told_with_its_line() {
    let folder = Folder::with_exactly("import os\n\ndef broken(:\n");
    let found = &problems(&folder)[0];
    assert_eq!(found.line, Some(3));
    assert!(found.message.starts_with("SyntaxError: "), "{found}");
    assert!(found.file.as_ref().unwrap().ends_with("/context.py"));
}

#[test]
fn an_import_that_fails_is_told_with_the_files_own_traceback() {
    let folder = Folder::with_exactly("import os\nimport no_such_module_at_all\n");
    let Error::ContextFile {
        problems,
        traceback,
        ..
    } = folder.refusal()
    else {
        panic!("a context file that is refused");
    };
    assert_eq!(
        problems[0].message,
        "ModuleNotFoundError: No module named 'no_such_module_at_all'"
    );
    assert_eq!(problems[0].line, Some(2));
    let traceback = traceback.unwrap();
    assert!(
        traceback.contains("import no_such_module_at_all"),
        "{traceback}"
    );
    assert!(!traceback.contains("runledger_runtime"), "{traceback}");
}

#[test]
fn a_file_that_exits_is_refused_like_one_that_raises() {
    let found = problems(&Folder::with_exactly("import sys\nsys.exit(4)\n"));
    assert_eq!(found[0].message, "SystemExit: 4");
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let folder = Folder::with(
        r#"
@Variable
def a(run, b: "var#b"): pass
@Variable
def b(run, a: "var#a"): pass
@Variable
def c(run, x: "var#absent" = 1, y: "var#z*" = 1): pass
@Variable(title="same", data="both")
def d(run): pass
@Variable(title="same", units="", tags=["", 3])
def comment(run, s: "mymdc#weather"): pass
named = Variable(title="lambda")(lambda run: 1)
"#,
    );
    let texts: Vec<String> = problems(&folder).iter().map(ToString::to_string).collect();
    let expected = [
        "context.py:4: These variables depend on each other in a circle: a → b → a",
        "context.py:8: Missing dependency of variable c: there is no variable 'absent'",
        "context.py:8: Missing dependency of variable c: no variable matches the pattern 'z*'",
        "context.py:10: data='both' for variable d",
        "context.py:12: The variable name 'comment' is reserved",
        "units='' for variable comment",
        "tags=('', 3) for variable comment",
        "'mymdc#weather'",
        "These variables share the title 'same': d, comment",
        "The variable name '<lambda>' is not an identifier",
    ];
    for part in expected {
        assert!(
            texts.iter().any(|text| text.contains(part)),
            "{part}\nis not in {texts:#?}"
        );
    }
    assert_eq!(texts.len(), expected.len(), "{texts:#?}");
}

#[test]
fn a_raw_variable_cannot_depend_on_proc_data() {
    let folder = Folder::with(
        r#"
@Variable(data="proc")
def a(run): pass
@Variable(data="raw")
def b(run, a: "var#a"): pass
"#,
    );
    let found = problems(&folder);
    assert!(found[0].message.contains("need proc data: a"), "{found:?}");
}

#[test]
fn a_layered_graph_and_a_long_chain_are_ordered_at_once() {
    let folder = Folder::with(
        r#"
def layer(name, *needed):
    notes = ", ".join(f"x{i}: 'var#{n}'" for i, n in enumerate(needed))
    scope = {}
    exec(f"def {name}(run, {notes}): return 1", scope)
    return Variable(scope[name])

for depth in range(40):
    for side in range(4):
        below = [f"v{depth - 1}_{i}" for i in range(4)] if depth else []
        globals()[f"v{depth}_{side}"] = layer(f"v{depth}_{side}", *below)
for link in range(3000):
    globals()[f"c{link}"] = layer(f"c{link}", *([f"c{link + 1}"] if link < 2999 else []))
"#,
    );
    let worker = folder.start().unwrap();
    let order = &worker.manifest().order;
    assert_eq!(order.len(), 3160);
    let place = |name: &str| order.iter().position(|each| each == name).unwrap();
    assert!(place("c2999") < place("c0") && place("v0_3") < place("v39_0"));
}

#[test]
fn a_folder_without_a_context_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup {
        python: python(),
        database_dir: folder.path().into(),
        memory: None,
        keep: None,
        environment: Default::default(),
        launcher: Default::default(),
    };
    let why = Worker::start(setup, &seconds(60)).unwrap_err();
    assert!(why.to_string().ends_with("/context.py"), "{why}");
}

#[test]
fn a_python_that_is_missing_is_named() {
    let folder = Folder::with("");
    let why = Worker::start(folder.setup_with("/no/such/python".into()), &seconds(60)).unwrap_err();
    assert!(matches!(why, Error::NoPython { .. }));
    assert!(why.to_string().contains("/no/such/python"), "{why}");
}

#[test]
fn a_python_that_is_too_old_is_told_with_its_version() {
    let greeting =
        r#"{"message": "hello", "protocol": 3, "python": "3.6.15", "pid": 1, "buffers": []}"#;
    let fake = format!(
        r"printf '\{:o}\000\000\000%s' '{greeting}' >&3",
        greeting.len()
    );
    let why = start_with(&Folder::with(""), &fake).unwrap_err();
    assert!(matches!(why, Error::TooOld { .. }), "{why}");
    assert!(why.to_string().contains("Python 3.6.15"), "{why}");
}

#[test]
fn a_python_without_numpy_is_told_so() {
    // -S: without the packages that are installed beside the interpreter; -I: without our environment.
    let python = python();
    let fake = format!("exec '{}' -I -S \"$@\"", python.display());
    let why = start_with(&Folder::with(""), &fake).unwrap_err();
    assert!(matches!(why, Error::NoNumpy { .. }), "{why}");
}

#[test]
fn a_runtime_with_another_protocol_is_refused() {
    let greeting = r#"{"message": "hello", "protocol": 9, "python": "3.12.0", "pid": 1, "numpy": "2", "buffers": []}"#;
    let fake = format!(
        r"printf '\{:o}\000\000\000%s' '{greeting}' >&3",
        greeting.len()
    );
    let why = start_with(&Folder::with(""), &fake).unwrap_err();
    assert!(
        matches!(why, Error::OtherProtocol { found: 9, .. }),
        "{why}"
    );
}

#[test]
fn a_program_that_is_no_python_is_told_with_its_end() {
    let folder = Folder::with("");
    let why = start_with(&folder, "echo I am not Python; exit 7").unwrap_err();
    assert!(why.to_string().ends_with("exit status 7"), "{why}");
    let why = start_with(&folder, "echo '<html>not a frame</html>' >&3").unwrap_err();
    assert!(matches!(why, Error::Nonsense { .. }), "{why}");
}

#[test]
fn a_file_that_ends_python_or_never_ends_is_told_so() {
    let died = Folder::with_exactly("import os\nos.abort()\n").refusal();
    assert!(died.to_string().contains("signal 6 (SIGABRT)"), "{died}");
    let endless = Folder::with_exactly("while True: pass\n");
    let why = Worker::start(endless.setup(), &seconds(2)).unwrap_err();
    assert!(matches!(why, Error::ContextTimedOut { .. }), "{why}");
}
