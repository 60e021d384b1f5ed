//! What ends Python costs one variable: the others go on in a new one, and know why it is missing.

mod support;

use std::collections::HashMap;
use std::time::Duration;

use runledger_context::value::{Data, Outcome};
use runledger_context::worker::{Event, Limits, Setup};
use support::{Folder, Whole, seconds};

/// `misbehave` ends Python; around it is every way to depend on others.
const NEIGHBOURS: &str = r#"
import ctypes, os, subprocess, sys, time
import numpy as np

@Variable
def before(run): return "kept"
@Variable(transient=True)
def object(run, before: "var#before"): return {"of": before}
@Variable
def broken(run): return 1 / 0
@Variable
def behind_broken(run, broken: "var#broken"): return 1
@Variable
def nothing(run): return None
@Variable(transient=True)
def broken_object(run): raise KeyError("transient")
@Variable
def culprit(run, before: "var#before"): return misbehave()
@Variable
def dependent(run, culprit: "var#culprit"): return 1
@Variable
def chain(run, dependent: "var#dependent", behind: "var#behind_broken", lost: "var#broken_object"): return 1
@Variable
def without(run, nothing: "var#nothing"): return 1
@Variable
def after(run, object: "var#object", culprit: "var#culprit" = None): return f"{object['of']} {culprit}"
@Variable
def last(run): return np.arange(3)
"#;

fn folder(body: &str) -> Folder {
    Folder::with(&format!("{NEIGHBOURS}\ndef misbehave():\n    {body}\n"))
}

fn texts(whole: &Whole) -> HashMap<&str, (&str, &str)> {
    let outcomes = whole.heard.outcomes().into_iter();
    let texts = outcomes.map(|(name, outcome)| match outcome {
        Outcome::Failed(failure) => (name, (failure.class.as_str(), failure.message.as_str())),
        Outcome::Cell(cell) => match &cell.data {
            Some(Data::Text(text)) => (name, ("", text.as_str())),
            _ => (name, ("", "…")),
        },
    });
    texts.collect()
}

/// Every variable is heard of once, and those that do not depend on the culprit have what they always have.
fn assert_costs_one(whole: &Whole, class: &str, message: &str) {
    assert_eq!(whole.cut_short, None);
    let names = whole.heard.events.iter().filter_map(|event| match event {
        Event::Outcome { name, .. } => Some(name.as_str()),
        _ => None,
    });
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let each = [
        "after",
        "before",
        "behind_broken",
        "broken",
        "chain",
        "culprit",
        "dependent",
        "last",
        "without",
    ];
    assert_eq!(names, each);
    let found = texts(whole);
    assert_eq!(found["culprit"].0, class, "{:?}", found["culprit"]);
    assert!(
        found["culprit"].1.contains(message),
        "{:?}",
        found["culprit"]
    );
    assert_eq!(found["before"], ("", "kept"));
    assert_eq!(found["after"], ("", "kept None"));
    assert_eq!(found["last"], ("", "…"));
    assert_eq!(
        found["without"],
        ("Skip", "Dependencies returned no data:\n- 'nothing'")
    );
    let line = found["dependent"].1.lines().nth(1).unwrap();
    assert!(
        line.starts_with(&format!("└ (culprit) failed: {class}: ")),
        "{line}"
    );
    assert_eq!(found["dependent"].0, "DependencyError");
}

#[test]
fn a_crash_costs_its_own_variable() {
    for (body, how) in [
        (
            "os._exit(0)",
            "Python ended (exit status 0) while this variable was evaluated",
        ),
        ("os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
        ("ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
        ("os.abort()", "signal 6 (SIGABRT)"),
    ] {
        let folder = folder(body);
        let whole = folder.evaluate_all(folder.setup(), &seconds(120));
        assert_costs_one(&whole, "PythonDied", how);
        let chain = texts(&whole)["chain"].1;
        for part in [
            "├ (dependent) skipped\n│  └ (culprit) failed: PythonDied: Python ended",
            "├ (behind_broken) skipped\n│  └ (broken) failed: ZeroDivisionError: division by zero",
            "└ (broken_object) failed: KeyError: 'transient'",
        ] {
            assert!(chain.contains(part), "{part} is not in\n{chain}");
        }
    }
}

#[test]
fn a_stack_overflow_of_compiled_code_costs_its_own_variable() {
    let body = "\
import threading; threading.stack_size(1 << 20); sys.setrecursionlimit(10**9)
    deep = lambda: next(map(lambda _: deep(), [0]))
    deep()";
    let folder = folder(body);
    let whole = folder.evaluate_all(folder.setup(), &seconds(120));
    let found = texts(&whole);
    assert!(
        ["PythonDied", "RecursionError", "MemoryError"].contains(&found["culprit"].0),
        "{found:?}"
    );
    assert_eq!(found["after"], ("", "kept None"));
}

#[test]
fn a_variable_that_takes_too_long_is_ended_and_the_others_go_on() {
    let folder = folder("time.sleep(600)");
    let mut limits = seconds(120);
    limits.variable = Some(Duration::from_secs(2));
    let whole = folder.evaluate_all(folder.setup(), &limits);
    assert_costs_one(
        &whole,
        "TimeLimit",
        "stopped after 2s, the time limit of each variable",
    );
}

#[test]
fn who_asks_for_more_memory_than_there_is_gets_an_error() {
    let folder = folder("return np.ones(1 << 33, dtype=np.uint8)");
    let setup = Setup {
        memory: Some(2 << 30),
        ..folder.setup()
    };
    let whole = folder.evaluate_all(setup, &seconds(120));
    assert_costs_one(
        &whole,
        "MemoryError",
        "the memory limit of this job is 2.0 GiB",
    );
}

#[test]
fn several_crashes_cost_several_variables() {
    let variables: String = (0..6)
        .map(|n| {
            format!("@Variable\ndef v{n}(run):\n    return os._exit(1) if {n} % 2 else 'value'\n")
        })
        .collect();
    let folder = Folder::with(&format!("import os\n{variables}"));
    let whole = folder.evaluate_all(folder.setup(), &seconds(120));
    let found = texts(&whole);
    for n in 0..6 {
        let class = if n % 2 == 1 { "PythonDied" } else { "" };
        assert_eq!(found[format!("v{n}").as_str()].0, class);
    }
}

#[test]
fn a_run_that_ends_python_when_it_is_opened_is_not_opened_again_and_again() {
    let folder = Folder::with("@Variable\ndef a(run): return 1\n");
    folder.write(
        "opening.py",
        "import os\ndef fatal(*where, data): open('tries', 'a').write('x'); os._exit(7)\n",
    );
    let mut worker = folder.start().unwrap();
    let mut request = support::mock_request(vec!["a".into()]);
    request.mock = false;
    request.opener = Some("opening:fatal".into());
    let mut events = Vec::new();
    let cut_short = worker.evaluate_all(&request, &seconds(120), &mut |event| events.push(event));
    assert!(cut_short.unwrap().unwrap().why.contains("exit status 7"));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("tries")).unwrap(),
        "x"
    );
    let [
        Event::Outcome {
            outcome: Outcome::Failed(failure),
            ..
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        failure.message,
        "not evaluated: Python ended (exit status 7) before its turn"
    );
}

#[test]
fn a_job_that_is_told_to_stop_says_so_in_what_is_left() {
    let folder = folder("time.sleep(600)");
    let limits = seconds(120);
    let stop = limits.stop.clone();
    let mut worker = folder.start().unwrap();
    let names = runledger_context::selection::Selection::of(runledger_context::run::RunData::All);
    let request = support::mock_request(names.names(worker.manifest()));
    let mut failures = HashMap::new();
    let cut_short = worker.evaluate_all(&request, &limits, &mut |event| match event {
        Event::Started(name) if name == "culprit" => stop.raise(),
        Event::Outcome {
            name,
            outcome: Outcome::Failed(failure),
            ..
        } => {
            failures.insert(name, failure);
        }
        _ => {}
    });
    assert!(cut_short.unwrap().unwrap().stopped);
    assert_eq!(
        failures["culprit"].message,
        "the job was told to stop while this variable was evaluated"
    );
    assert_eq!(
        failures["last"].message,
        "not evaluated: the job was told to stop before its turn"
    );
    assert_eq!(failures["last"].class, "Stopped");
}

#[test]
fn a_job_that_is_told_to_stop_in_its_last_variable_was_cut_short() {
    let folder = Folder::with("import time\n@Variable\ndef last(run):\n    time.sleep(600)\n");
    let limits = seconds(120);
    let stop = limits.stop.clone();
    let mut worker = folder.start().unwrap();
    let request = support::mock_request(vec!["last".into()]);
    let cut_short = worker.evaluate_all(&request, &limits, &mut |event| {
        if matches!(event, Event::Started(_)) {
            stop.raise();
        }
    });
    assert!(
        cut_short
            .unwrap()
            .is_some_and(|cut_short| cut_short.stopped)
    );
}

#[test]
fn a_child_in_a_session_of_its_own_ends_with_the_worker() {
    let code = "import os, subprocess\n@Variable\ndef pid(run):\n    \
        child = subprocess.Popen('sleep 600 & echo $!', shell=True, start_new_session=True, stdout=subprocess.PIPE)\n    \
        return child.stdout.readline().decode().strip()\n";
    let folder = Folder::with(code);
    let whole = folder.evaluate_all(folder.setup(), &seconds(120));
    let pid = texts(&whole)["pid"].1.to_owned();
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[test]
fn a_gigabyte_of_prints_costs_nothing_but_its_own_log() {
    let folder =
        folder("[sys.stdout.write('x' * (1 << 20)) for _ in range(1 << 10)]; return 1 / 0");
    let whole = folder.evaluate_all(folder.setup(), &seconds(120));
    assert_costs_one(&whole, "ZeroDivisionError", "division");
}

#[test]
fn a_traceback_of_a_million_lines_is_cut() {
    let folder = folder("raise ValueError('line\\n' * 10**6)");
    let whole = folder.evaluate_all(folder.setup(), &Limits::of(Duration::from_secs(120)));
    assert_costs_one(&whole, "ValueError", "more characters");
    assert!(texts(&whole)["culprit"].1.len() < 200_000);
    assert!(texts(&whole)["dependent"].1.len() < 400_000);
}
