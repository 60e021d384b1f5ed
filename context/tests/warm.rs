//! A worker that is forked from a warm Python gives what one that was started would have given.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use runledger_context::selection::Selection;
use runledger_context::value::{Data, Outcome};
use runledger_context::worker::{Event, Setup, Worker};
use support::{Evaluated, Folder, evaluate, mock_request, seconds};

/// Uses what imports take long for, and what could differ in a fork.
const CONTEXT: &str = r##"
import json, multiprocessing, os, random, sys
from damnit_ctx import Group
import xml.dom.minidom
import numpy.random
import beside

print("the context file is executed")

@Variable(title="From beside", units="mm", tags=["a", "b"])
def from_beside(run, name: "meta#run_number"):
    return beside.VALUE + name

@Variable()
def array(run):
    return np.arange(6.0).reshape(2, 3)

@Variable(transient=True)
def passed_on(run):
    return {"any": "object"}

@Variable()
def of_passed_on(run, x: "var#passed_on"):
    return x["any"]

@Variable()
def place(run):
    return [os.getcwd(), __file__, __name__, sys.argv[0], sys.modules["__main__"].__file__, sys.path[0]]

@Variable()
def surroundings(run):
    return json.dumps(dict(os.environ, RUNLEDGER_WORKER=""), sort_keys=True)

@Variable()
def wrong(run):
    raise ValueError("with its reason")

@Variable()
def skipped(run, x: "var#wrong"):
    return 1

def doubled(x):
    return 2 * x

@Group(tags="group")
class Detector:
    @Variable()
    def pooled(self, run):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return str(pool.map(doubled, [1, 2]))
detector = Detector()

@Variable()
def bold(run):
    return Cell(np.float32(2.5), bold=True, background="#ff0000", summary_value="two")
"##;

/// What tells a worker that was forked.
const PARENT: &str = "
import os

@Variable(title='Its parent')
def parent(run):
    with open(f'/proc/{os.getppid()}/cmdline') as file:
        return ' keep ' in file.read().replace('\\0', ' ')
";

fn warm(folder: &Folder) -> Setup {
    Setup {
        keep: Some(Duration::from_secs(600)),
        ..folder.setup()
    }
}

/// One job; a Python may stay behind.
fn job(folder: &Folder) -> Evaluated {
    job_of(warm(folder))
}

fn job_of(setup: Setup) -> Evaluated {
    let mut worker = Worker::start(setup, &seconds(120)).unwrap();
    let names = Selection::of(runledger_context::run::RunData::All).names(worker.manifest());
    let evaluated = evaluate(&mut worker, &mock_request(names), &seconds(120));
    worker.end();
    evaluated
}

fn was_forked(evaluated: &Evaluated) -> bool {
    match &evaluated.cell("parent").data {
        Some(Data::Array(array)) => array.bytes.in_memory().unwrap() == [1],
        other => panic!("{other:?}"),
    }
}

/// The value of a variable that returned an integer.
fn number(evaluated: &Evaluated, name: &str) -> i64 {
    match &evaluated.cell(name).data {
        Some(Data::Array(array)) => {
            i64::from_le_bytes(array.bytes.in_memory().unwrap().try_into().unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// Jobs until one of them was forked.
#[track_caller]
fn first_warm_job(folder: &Folder) -> Evaluated {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let evaluated = job(folder);
        if was_forked(&evaluated) {
            return evaluated;
        }
        assert!(Instant::now() < until, "no worker was ever forked");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A job that no Python of before can serve.
#[track_caller]
fn evaluated_anew(folder: &Folder, what: &str) -> Evaluated {
    let evaluated = job(folder);
    assert!(!was_forked(&evaluated), "{what}");
    evaluated
}

fn with_parent(code: &str) -> Folder {
    let folder = Folder::with(&format!("{PARENT}{code}"));
    folder.write("beside.py", "VALUE = 1000\n");
    folder
}

/// Everything that was heard, without the times.
fn heard(evaluated: &Evaluated) -> Vec<String> {
    let events = evaluated.events.iter();
    let timeless = events.filter_map(|event| match event {
        Event::StartTime(_) => None,
        Event::Outcome { name, .. } if name == "parent" => None,
        Event::Outcome { name, outcome, .. } => Some(format!("{name}: {outcome:?}")),
        other => Some(format!("{other:?}")),
    });
    timeless.collect()
}

#[test]
fn results_are_the_same_as_cold() {
    let folder = with_parent(CONTEXT);
    let cold = job(&folder);
    assert!(!was_forked(&cold));
    assert_eq!(heard(&first_warm_job(&folder)), heard(&cold));
    let manifest = |setup| {
        let worker = Worker::start(setup, &seconds(60)).unwrap();
        format!("{:?}", worker.manifest())
    };
    let cold = manifest(folder.setup());
    assert_eq!(manifest(warm(&folder)), cold);
}

#[test]
fn random_numbers_differ_from_job_to_job() {
    let folder = with_parent(
        "import random, numpy.random\n@Variable()\ndef some(run):\n    return [random.random(), np.random.rand()]\n",
    );
    let first = first_warm_job(&folder);
    let second = first_warm_job(&folder);
    assert_ne!(first.cell("some").data, second.cell("some").data);
}

#[test]
fn what_is_changed_in_the_database_folder_counts_at_once() {
    let folder = with_parent(CONTEXT);
    first_warm_job(&folder);
    folder.write("beside.py", "VALUE = 20000\n");
    let changed = evaluated_anew(&folder, "a module beside the context file has changed");
    assert_eq!(number(&changed, "from_beside"), 20056);
    first_warm_job(&folder);
    folder.write(
        "context.py",
        &format!("from damnit_ctx import Variable\n{PARENT}"),
    );
    let other = evaluated_anew(&folder, "the context file has changed");
    assert_eq!(other.outcomes().len(), 1);
}

#[test]
fn a_module_that_takes_the_place_of_an_imported_one_counts_at_once() {
    let folder = with_parent(
        "import fractions\n@Variable()\ndef where(run):\n    return fractions.__file__\n",
    );
    let first = first_warm_job(&folder);
    folder.write("fractions.py", "");
    let second = evaluated_anew(&folder, "fractions.py has come");
    assert_ne!(first.cell("where").data, second.cell("where").data);
}

#[test]
fn an_installed_module_that_has_changed_counts_at_once() {
    let elsewhere = Folder::with_exactly("");
    elsewhere.write("installed_elsewhere.py", "VALUE = 1\n");
    let folder = with_parent(&format!(
        "import sys; sys.path.append({:?})\nimport installed_elsewhere\n\
         @Variable()\ndef found(run):\n    return installed_elsewhere.VALUE\n",
        elsewhere.path()
    ));
    first_warm_job(&folder);
    elsewhere.write("installed_elsewhere.py", "VALUE = 33\n");
    assert_eq!(number(&job(&folder), "found"), 33);
}

#[test]
fn who_changes_the_environment_is_never_served() {
    let folder = with_parent("import os\nos.environ['SOMETHING'] = 'else'\nimport numpy.fft\n");
    for _ in 0..3 {
        assert!(!was_forked(&job(&folder)));
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_crash_costs_one_variable_and_names_the_signal() {
    let folder = with_parent(
        "import os\n@Variable()\ndef gone(run):\n    if os.path.exists('now'):\n        os.abort()\n    return 1\n\
         @Variable()\ndef other(run):\n    return 2\n",
    );
    first_warm_job(&folder);
    folder.write("now", "");
    let mut worker = Worker::start(warm(&folder), &seconds(60)).unwrap();
    let names = Selection::of(runledger_context::run::RunData::All).names(worker.manifest());
    let mut outcomes = Vec::new();
    let cut_short = worker.evaluate_all(&mock_request(names), &seconds(60), &mut |event| {
        if let Event::Outcome { name, outcome, .. } = event {
            outcomes.push((name, outcome));
        }
    });
    assert_eq!(cut_short.unwrap(), None);
    let of = |wanted: &str| &outcomes.iter().find(|(name, _)| name == wanted).unwrap().1;
    match of("gone") {
        Outcome::Failed(failure) => assert!(failure.message.contains("SIGABRT"), "{failure:?}"),
        other @ Outcome::Cell(_) => panic!("{other:?}"),
    }
    assert!(matches!(of("other"), Outcome::Cell(_)));
}

#[test]
fn what_a_forked_worker_leaves_behind_ends_with_it() {
    let folder = with_parent(
        "import os, subprocess\n@Variable()\ndef child(run):\n    \
         child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n    return child.pid\n",
    );
    let evaluated = first_warm_job(&folder);
    let pid = number(&evaluated, "child");
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(!state.contains("(sleep)"), "still there: {state}");
}

#[test]
fn the_memory_limit_holds_in_a_forked_worker() {
    let folder = with_parent("@Variable()\ndef large(run):\n    return np.ones(1 << 30).sum()\n");
    // Without a limit this one would take 8 GiB.
    let limited = || Setup {
        memory: Some(1 << 30),
        ..warm(&folder)
    };
    let until = Instant::now() + Duration::from_secs(60);
    let mut evaluated = job_of(limited());
    while !was_forked(&evaluated) {
        assert!(Instant::now() < until, "no worker was ever forked");
        evaluated = job_of(limited());
    }
    let failure = evaluated.failure("large");
    assert!(failure.message.contains("1.0 GiB"), "{failure:?}");
}

#[test]
fn a_kept_python_ends_when_its_database_is_gone() {
    let folder = with_parent(
        "import os\n@Variable()\ndef kept(run):\n    \
         with open(f'/proc/{os.getppid()}/stat') as file:\n        return int(file.read().split()[3])\n",
    );
    let pid = number(&first_warm_job(&folder), "kept");
    // One that has ended may wait for whoever started it to look.
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_there = || !state().is_empty() && !state().contains(") Z ");
    assert!(is_there());
    drop(folder);
    let until = Instant::now() + Duration::from_secs(60);
    while is_there() {
        assert!(Instant::now() < until, "it still waits");
        std::thread::sleep(Duration::from_millis(50));
    }
}
