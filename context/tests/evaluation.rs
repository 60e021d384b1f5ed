//! What functions get, when, and which of them are evaluated.

mod support;

use runledger_context::run::RunId;
use runledger_context::selection::Selection;
use runledger_context::value::Data;
use runledger_context::worker::{End, Event};
use runledger_context::{Error, run::RunData};
use support::{Folder, mock_request, seconds};

#[test]
fn what_returns_none_is_transient_or_lacks_a_parameter_leaves_no_cell() {
    let evaluated = Folder::with(
        r#"
@Variable
def nothing(run): return None
@Variable(transient=True)
def handle(run): return Cell(5)
@Variable(transient=True)
def broken(run): raise ValueError
@Variable
def unasked(run, p: "param#absent"): return 1
@Variable
def asked(run, p: "param#present", h: "var#handle"): return f"{p} {h}"
"#,
    )
    .evaluate_within(&seconds(60), |request| {
        request.params.insert("present".into(), "yes".into());
    });
    assert_eq!(
        evaluated.without_value(),
        ["nothing", "handle", "broken", "unasked"]
    );
    assert_eq!(
        evaluated.cell("asked").data,
        Some(Data::Text("yes 5".into()))
    );
}

#[test]
fn the_file_knows_where_it_is_and_finds_its_neighbours() {
    let folder = Folder::with(
        r#"
import os, sys, pickle
assert __name__ != "__main__"
from neighbour import value
import damnit.context, damnit_ctx
assert damnit.context.Variable is damnit_ctx.Variable is Variable
def helper(): return 1
@Variable
def a(run): return f"{value} {os.path.basename(__file__)} {len(sys.stdin.read())} {pickle.loads(pickle.dumps(helper))()}"
"#,
    );
    folder.write("neighbour.py", "value = 'near'\n");
    // Names that the runtime uses too.
    for name in [
        "damnit_ctx.py",
        "evaluation.py",
        "worker.py",
        "runledger_runtime.py",
    ] {
        folder.write(name, "raise SystemExit('not this one')\n");
    }
    let data = &folder.evaluate().cell("a").data.clone();
    assert_eq!(*data, Some(Data::Text("near context.py 0 1".into())));
}

#[test]
fn results_come_one_by_one_after_the_start_time() {
    let evaluated = Folder::with("@Variable\ndef a(run): return 1\n").evaluate();
    assert!(matches!(evaluated.events[0], Event::StartTime(seconds) if seconds > 1.7e9));
    assert_eq!(evaluated.events[1], Event::Started("a".into()));
    assert!(matches!(&evaluated.events[2], Event::Outcome { name, .. } if name == "a"));
}

/// An opener as a site may have: proc data is only there for run 2.
const SITE: &str = r#"
def opened(proposal, run, data="all"):
    if run == 3: raise OSError("the tape is torn")
    if data == "proc" and run != 2: raise FileNotFoundError("no proc")
    return (proposal, run, data)
"#;

fn with_the_sites_opener(run: u32) -> Result<(End, Vec<Event>), Error> {
    let folder = Folder::with(
        r#"
@Variable
def raw(run): return str(run)
@Variable(data="proc")
def proc(run): return "calibrated"
@Variable
def both(run, raw: "var#raw", proc: "var#proc"): return 1
"#,
    );
    folder.write("site_opener.py", SITE);
    let mut worker = folder.start()?;
    let mut request = mock_request(Selection::of(RunData::All).names(worker.manifest()));
    request.mock = false;
    request.opener = Some("site_opener:opened".into());
    request.run = RunId::new(7, run);
    let mut events = Vec::new();
    let end = worker.evaluate(&request, &seconds(60), &mut |event| events.push(event))?;
    Ok((end, events))
}

#[test]
fn without_proc_data_only_raw_variables_are_evaluated() {
    let (end, events) = with_the_sites_opener(1).unwrap();
    let evaluated = support::Evaluated { end, events };
    assert_eq!(evaluated.without_value(), ["proc", "both"]);
    let expected = Data::Text("(7, 1, 'all')".into());
    assert_eq!(evaluated.cell("raw").data, Some(expected));

    let (end, events) = with_the_sites_opener(2).unwrap();
    assert_eq!(support::Evaluated { end, events }.outcomes().len(), 3);
}

#[test]
fn a_run_that_cannot_be_opened_is_told_with_the_reason() {
    let why = with_the_sites_opener(3).unwrap_err();
    assert_eq!(
        why.to_string(),
        "cannot open p7 r3: OSError: the tape is torn"
    );
}

#[test]
fn a_real_run_is_opened_with_extra_data() {
    let folder = Folder::with(
        r#"
@Variable
def trains(run): return len(run.train_ids)
@Variable
def path(run, path: "meta#proposal_path"): return str(path)
@Variable
def gone(run): return run["NO/SUCH/SOURCE", "x"].ndarray()
@Variable
def after(run, gone: "var#gone"): return 1
"#,
    );
    folder.write(
        "site_opener.py",
        r#"
import os
from extra_data import open_run
from extra_data.tests.make_examples import make_fxe_run
root = os.path.join(os.getcwd(), "FXE/202601/p000007")
os.makedirs(root + "/raw/r0001")
make_fxe_run(root + "/raw/r0001")
os.environ["EXTRA_DATA_DATA_ROOT"] = os.getcwd()
"#,
    );
    let mut worker = folder.start().unwrap();
    let mut request = mock_request(worker.manifest().order.clone());
    request.mock = false;
    request.run = RunId::new(7, 1);
    request.opener = Some("site_opener:open_run".into());
    let evaluated = support::evaluate(&mut worker, &request, &seconds(120));
    let Event::StartTime(seconds) = evaluated.events[0] else {
        panic!("the start time comes first");
    };
    assert!(seconds > 1.5e9, "{seconds}");
    assert!(
        matches!(&evaluated.cell("trains").data, Some(Data::Array(count)) if count.bytes.in_memory().unwrap()[0] > 0)
    );
    let expected = folder
        .path()
        .canonicalize()
        .unwrap()
        .join("FXE/202601/p000007");
    assert_eq!(
        evaluated.cell("path").data,
        Some(Data::Text(expected.display().to_string()))
    );
    assert_eq!(evaluated.failure("gone").class, "SourceNameError");
    assert_eq!(
        evaluated.failure("after").class,
        "Skip",
        "nothing to look at is no error"
    );
}

#[test]
fn metadata_without_the_package_for_it_is_a_failure_that_names_the_package() {
    let evaluated = Folder::with(
        r#"
import sys
sys.modules["extra_proposal"] = None
@Variable
def kind(run, kind: "mymdc#run_type" = "unknown"): return kind
"#,
    )
    .evaluate();
    let failure = evaluated.failure("kind");
    assert_eq!(failure.class, "ModuleNotFoundError");
    assert!(
        failure.message.contains("the package extra_proposal"),
        "{failure:?}"
    );
}
