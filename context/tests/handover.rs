//! Values that one job leaves for the next reach the functions there exactly, and are not computed again.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use runledger_context::run::RunData;
use runledger_context::selection::Selection;
use runledger_context::value::{Data, Outcome};
use runledger_context::worker::{End, Event, Handed, Request, Worker};
use support::{Evaluated, Folder, evaluate, mock_request, seconds};
use tempfile::TempDir;

/// Each function writes its name down; `seen` tells all that it gets.
const CONTEXT: &str = r#"
def count(name):
    with open("calls", "a") as file:
        file.write(name + "\n")

class Word(str):
    pass

def light(function):
    def counted(run):
        count(function.__name__)
        return function(run)
    counted.__name__ = function.__name__
    return Variable(counted)

@light
def number(run): return 3
@light
def text(run): return "Zeit: µs\nzwei"
@light
def word(run): return Word("subclass")
@light
def texts(run): return ["a", "bcd"]
@light
def swapped(run): return np.arange(6, dtype=">i2").reshape(2, 3).T
@light
def empty(run): return np.zeros((0, 3), "c8")
@light
def structured(run): return np.array([(1, 2.5)], dtype=[("a", "<u1"), ("b", "<f8", (2,))])
@light
def aligned(run): return np.zeros(2, np.dtype("u1,f8", align=True))
@light
def nothing(run): return None
@light
def broken(run): return 1 / 0

@Variable(transient=True)
def object(run):
    count("object")
    return {"not": "stored"}

@Variable(cluster=True)
def seen(run, number: "var#number", text: "var#text", word: "var#word", texts: "var#texts",
         swapped: "var#swapped", empty: "var#empty", structured: "var#structured", aligned: "var#aligned",
         object: "var#object", nothing: "var#nothing" = None, broken: "var#broken" = None):
    def shown(value):
        if isinstance(value, np.ndarray):
            return (value.dtype.str, value.dtype.descr, value.dtype.isalignedstruct, value.shape,
                    value.flags.writeable, value.tolist())
        return type(value).__name__, value
    return "\n".join(f"{name}: {shown(value)!r}" for name, value in sorted(locals().items())
                     if name not in ("run", "shown"))
"#;

/// What fits into a file as it is.
const EXACT: [&str; 6] = ["empty", "number", "structured", "swapped", "text", "texts"];

fn everything(worker: &Worker) -> Request {
    mock_request(Selection::of(RunData::All).names(worker.manifest()))
}

fn handed(folder: &Path, names: &[String]) -> Handed {
    Handed {
        folder: folder.into(),
        names: names.to_vec(),
    }
}

/// The variables whose values are in a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = folder.read_dir().unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .map(|name| name.rsplit_once('.').unwrap().0.to_owned())
        .collect()
}

fn seen(heard: &Evaluated) -> String {
    match &heard.cell("seen").data {
        Some(Data::Text(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn calls(folder: &Folder) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path().join("calls")).unwrap_or_default();
    std::fs::remove_file(folder.path().join("calls")).ok();
    let mut calls: Vec<_> = text.lines().map(str::to_owned).collect();
    calls.sort();
    calls
}

/// The request of a job after one that has left values in `folder`.
fn after(worker: &Worker, folder: &Path) -> Request {
    let given = files(folder);
    let mut request = everything(worker);
    let (given, names): (Vec<_>, Vec<_>) = request
        .selected
        .iter()
        .cloned()
        .partition(|name| given.contains(name));
    request.again = names
        .iter()
        .filter(|name| *name != "seen")
        .cloned()
        .collect();
    request.names = names;
    request.given = Some(handed(folder, &given));
    request
}

fn whole(worker: &mut Worker, request: &Request) -> Vec<Event> {
    let mut events = Vec::new();
    let cut_short = worker.evaluate_all(request, &seconds(120), &mut |event| events.push(event));
    assert_eq!(cut_short.unwrap(), None);
    events
}

/// The variables that were heard of.
fn heard_of(events: &[Event]) -> BTreeSet<&str> {
    events.iter().filter_map(Event::name).collect()
}

fn assert_handed_over(workers: usize) {
    let folder = Folder::with(CONTEXT);
    let handover = TempDir::new().unwrap();
    let mut first = folder.start().unwrap();
    let mut request = everything(&first);
    request.hand_over = Some(handed(handover.path(), &request.selected));
    request.workers = workers;
    let expected = seen(&evaluate(&mut first, &request, &seconds(120)));
    let mut left = files(handover.path());
    assert!(left.remove("seen"));
    assert!(left.iter().eq(EXACT), "{left:?}");
    std::fs::remove_file(handover.path().join("seen.txt")).unwrap();
    calls(&folder);

    let mut second = folder.start().unwrap();
    assert_eq!(second.manifest().digest, first.manifest().digest);
    let mut request = after(&second, handover.path());
    request.workers = workers;
    let events = whole(&mut second, &request);
    assert_eq!(heard_of(&events), BTreeSet::from(["seen"]));
    let heard = Evaluated {
        end: End::Finished,
        events,
    };
    assert_eq!(seen(&heard), expected);
    let again = ["aligned", "broken", "nothing", "object", "word"];
    let calls = calls(&folder);
    let called: BTreeSet<&str> = calls.iter().map(String::as_str).collect();
    assert!(called.iter().all(|name| again.contains(name)), "{calls:?}");
    assert!(called.contains("object") && called.contains("broken"));
}

#[test]
fn what_fits_into_a_file_is_given_back_exactly_and_the_rest_is_evaluated() {
    assert_handed_over(1);
}

#[test]
fn forks_leave_and_get_values_too() {
    assert_handed_over(3);
}

#[test]
fn a_new_python_takes_the_values_over_as_well() {
    let code = r#"
import os
@Variable
def light(run): raise RuntimeError("not here")
@Variable(transient=True)
def object(run): return [1]
@Variable
def culprit(run, light: "var#light"): os._exit(1)
@Variable
def heavy(run, light: "var#light", object: "var#object"): return light + object[0]
"#;
    let folder = Folder::with(code);
    let handover = TempDir::new().unwrap();
    std::fs::write(handover.path().join("light.txt"), "no number").unwrap();
    let mut worker = folder.start().unwrap();
    let mut request = everything(&worker);
    request.names.retain(|name| name != "light");
    request.again = vec!["object".into()];
    request.given = Some(handed(handover.path(), &["light".into()]));
    let events = whole(&mut worker, &request);
    assert_eq!(heard_of(&events), BTreeSet::from(["culprit", "heavy"]));
    let failed = events.iter().filter_map(|event| match event {
        Event::Outcome {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.class.as_str()),
        _ => None,
    });
    let failed: Vec<&str> = failed.collect();
    // A text and a number do not add up: the value has come that was left.
    assert!(
        failed.contains(&"TypeError") && failed.len() == 2,
        "{failed:?}"
    );
}

#[test]
fn a_value_that_is_gone_costs_those_that_need_it() {
    let code = "@Variable\ndef light(run): return 1\n\
                @Variable\ndef heavy(run, light: \"var#light\"): return light\n";
    let folder = Folder::with(code);
    let nowhere = TempDir::new().unwrap();
    let mut worker = folder.start().unwrap();
    let mut request = everything(&worker);
    request.names = vec!["heavy".into()];
    request.given = Some(handed(nowhere.path(), &["light".into()]));
    let heard = evaluate(&mut worker, &request, &seconds(120));
    let failure = heard.failure("heavy");
    assert!(failure.message.contains("light"), "{failure:?}");
}

/// A file in NumPy's format (NEP 1) with this header and these data.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len() + 1).unwrap().to_le_bytes();
    [
        b"\x93NUMPY\x01\x00",
        &length[..],
        header.as_bytes(),
        b"\n",
        data,
    ]
    .concat()
}

#[test]
fn code_in_a_file_of_values_is_never_executed() {
    let code = "@Variable\ndef light(run): return 1\n\
                @Variable\ndef heavy(run, light: \"var#light\"): return light\n";
    let pickled = b"cos\nsystem\n(S'touch done'\ntR.";
    let objects = "{'descr': '|O', 'fortran_order': False, 'shape': (), }";
    let call =
        "{'descr': __import__('os').system('touch done'), 'fortran_order': False, 'shape': (), }";
    for file in [npy(objects, pickled), npy(call, b""), pickled.to_vec()] {
        let folder = Folder::with(code);
        let handover = TempDir::new().unwrap();
        std::fs::write(handover.path().join("light.npy"), file).unwrap();
        let mut worker = folder.start().unwrap();
        let mut request = everything(&worker);
        request.names = vec!["heavy".into()];
        request.given = Some(handed(handover.path(), &["light".into()]));
        let heard = evaluate(&mut worker, &request, &seconds(120));
        assert!(heard.failure("heavy").message.contains("light"));
        assert!(!folder.path().join("done").exists());
    }
}

#[test]
fn a_python_that_dies_before_its_first_turn_is_not_started_for_ever() {
    let code = "@Variable\ndef light(run): return 1\n\
                @Variable\ndef heavy(run, light: \"var#light\"): return light\n";
    let folder = Folder::with(code);
    folder.write(
        "site_opener.py",
        "import os\ndef open_run(*_, **__): os._exit(3)\n",
    );
    let mut worker = folder.start().unwrap();
    let mut request = everything(&worker);
    request.mock = false;
    request.opener = Some("site_opener:open_run".into());
    request.again = vec!["light".into()];
    let mut events = Vec::new();
    let cut_short = worker.evaluate_all(&request, &seconds(120), &mut |event| events.push(event));
    assert!(cut_short.unwrap().is_some());
    assert_eq!(heard_of(&events), BTreeSet::from(["heavy"]));
}
