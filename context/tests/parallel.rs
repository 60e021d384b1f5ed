//! Variables that are evaluated side by side give what they give one after the other.

mod support;

use std::time::Duration;

use runledger_context::value::{Data, Outcome};
use runledger_context::worker::{CutShort, Event, Limits, Request, Worker};
use support::{Evaluated, Folder, mock_request, seconds};

/// `workers` at once; what became of every variable.
fn evaluated(folder: &Folder, workers: usize, limits: &Limits) -> (Evaluated, Option<CutShort>) {
    let mut worker = Worker::start(folder.setup(), limits).unwrap();
    let names = worker.manifest().order.clone();
    let request = Request {
        workers,
        ..mock_request(names)
    };
    let mut events = Vec::new();
    let cut_short = worker.evaluate_all(&request, limits, &mut |event| events.push(event));
    let end = runledger_context::worker::End::Finished;
    (Evaluated { end, events }, cut_short.unwrap())
}

/// What became of each variable, by name; no times.
fn outcomes(evaluated: &Evaluated) -> Vec<String> {
    let events = evaluated.events.iter();
    let told = events.filter_map(|event| match event {
        Event::Outcome { name, outcome, .. } => Some(format!("{name}: {outcome:?}")),
        Event::NoValue { name, failure, .. } => Some(format!("{name}: nothing, {failure:?}")),
        _ => None,
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

/// Every way in which one variable can need another.
const CONTEXT: &str = r#"
import threading

@Variable()
def base(run):
    return np.arange(5.0)

@Variable(transient=True)
def cannot_be_pickled(run, x: "var#base"):
    return threading.Lock()

@Variable(transient=True)
def can_be_pickled(run, x: "var#base"):
    return {"sum": x.sum()}

@Variable(transient=True)
def transient_alone(run, x: "var#base"):
    return None

@Variable()
def of_lock(run, lock: "var#cannot_be_pickled", other: "var#can_be_pickled"):
    with lock:
        return other["sum"]

@Variable()
def of_base(run, x: "var#base"):
    return x * 2

@Variable()
def wrong(run):
    raise ValueError("on purpose")

@Variable()
def of_wrong(run, x: "var#wrong"):
    return 1

@Variable()
def of_of_wrong(run, x: "var#of_wrong", y: "var#base"):
    return 1

@Variable()
def skips(run):
    raise Skip("not today")

@Variable()
def of_skips(run, x: "var#skips"):
    return 1

@Variable()
def nothing(run):
    return None

@Variable()
def of_nothing(run, x: "var#nothing"):
    return 1

@Variable()
def with_default(run, x: "var#nothing" = 7):
    return x

@Variable()
def everything(run, x: "var#*base*"):
    return list(x)

@Variable()
def unfit_for_storage(run):
    return object()

@Variable()
def large(run):
    return np.ones((1000, 1000))

@Variable()
def of_large(run, x: "var#large"):
    return x.sum()
"#;

#[test]
fn results_and_reasons_are_the_same() {
    let folder = Folder::with(CONTEXT);
    let (one_by_one, _) = evaluated(&folder, 1, &seconds(60));
    let (side_by_side, cut_short) = evaluated(&folder, 3, &seconds(60));
    assert_eq!(cut_short, None);
    let (found, expected) = (outcomes(&side_by_side), outcomes(&one_by_one));
    assert_eq!(found.len(), expected.len());
    let short = |text: &str| text.chars().take(400).collect::<String>();
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found == expected, "{}\n{}", short(found), short(expected));
    }
}

#[test]
fn variables_that_do_not_need_each_other_run_at_the_same_time() {
    // Each waits for the other: one after the other they would wait for ever.
    let folder = Folder::with(
        r#"
import os, time

def meet(mine, other):
    open(mine, "w").close()
    while not os.path.exists(other):
        time.sleep(0.01)
    return 1

@Variable()
def first(run):
    return meet("a", "b")

@Variable()
def second(run):
    return meet("b", "a")
"#,
    );
    let (evaluated, cut_short) = evaluated(&folder, 2, &seconds(60));
    assert_eq!(cut_short, None);
    assert_eq!(evaluated.outcomes().len(), 2);
}

#[test]
fn results_of_many_forks_arrive_whole() {
    let variables: String = (0..40)
        .map(|i| {
            format!("@Variable()\ndef v{i}(run):\n    return np.full(50_000 + {i}, {i}, 'i4')\n")
        })
        .collect();
    let folder = Folder::with(&variables);
    let (evaluated, _) = evaluated(&folder, 8, &seconds(60));
    for i in 0..40_i32 {
        let Some(Data::Array(array)) = &evaluated.cell(&format!("v{i}")).data else {
            panic!("v{i} has no array");
        };
        assert_eq!(
            array.bytes.len(),
            4 * (50_000 + usize::try_from(i).unwrap())
        );
        let mut elements = array.bytes.in_memory().unwrap().chunks_exact(4);
        assert!(elements.all(|element| element == i.to_ne_bytes()));
    }
}

#[test]
fn a_crash_costs_its_variable_and_dependents_say_so() {
    let folder = Folder::with(
        r#"
import os

@Variable()
def crashes(run):
    os.abort()

@Variable()
def leaves(run):
    os._exit(5)

@Variable()
def of_crashes(run, x: "var#crashes"):
    return 1

@Variable(transient=True)
def crashes_unseen(run):
    os.abort()

@Variable()
def good(run):
    with open("calls", "a") as calls:
        calls.write("good ")
    return 1
"#,
    );
    // Each call leaves a word: nothing is begun anew in another worker.
    folder.write("context.py", &{
        let file = std::fs::read_to_string(folder.path().join("context.py")).unwrap();
        file + "\nwith open('calls', 'a') as calls:\n    calls.write('file ')\n"
    });
    let (evaluated, cut_short) = evaluated(&folder, 2, &seconds(60));
    assert_eq!(cut_short, None);
    let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
    assert_eq!(calls, "file good ");
    assert!(evaluated.failure("crashes").message.contains("SIGABRT"));
    assert!(
        evaluated
            .failure("leaves")
            .message
            .contains("exit status 5")
    );
    let chain = &evaluated.failure("of_crashes").message;
    assert!(
        chain.contains("(crashes) failed: PythonDied") && chain.contains("SIGABRT"),
        "{chain}"
    );
    assert!(matches!(evaluated.outcomes()["good"], Outcome::Cell(_)));
    assert_eq!(evaluated.without_value(), ["crashes_unseen"]);
}

#[test]
fn a_time_limit_costs_its_variable_only() {
    let folder = Folder::with(
        r#"
import time

@Variable()
def slow(run):
    time.sleep(600)

@Variable()
def of_slow(run, x: "var#slow"):
    return 1

@Variable()
def good(run):
    return 1
"#,
    );
    let mut limits = seconds(60);
    limits.variable = Some(Duration::from_millis(700));
    let (evaluated, cut_short) = evaluated(&folder, 2, &limits);
    assert_eq!(cut_short, None);
    assert_eq!(evaluated.failure("slow").class, "TimeLimit");
    assert!(
        evaluated
            .failure("of_slow")
            .message
            .contains("time limit of each variable")
    );
    assert!(matches!(evaluated.outcomes()["good"], Outcome::Cell(_)));
}

#[test]
fn when_the_worker_itself_is_gone_what_ran_in_forks_has_another_turn() {
    let folder = Folder::with(
        r#"
import os, signal, time

@Variable()
def kills(run):
    if not os.path.exists("killed"):
        open("killed", "w").close()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return 1

@Variable()
def good(run):
    return 2
"#,
    );
    let (evaluated, cut_short) = evaluated(&folder, 2, &seconds(60));
    assert_eq!(cut_short, None);
    for name in ["kills", "good"] {
        assert!(
            matches!(evaluated.outcomes()[name], Outcome::Cell(_)),
            "{name}"
        );
    }
}

#[test]
fn a_print_goes_to_the_log_and_not_into_the_results() {
    let folder = Folder::with(
        "@Variable()\ndef a(run):\n    print('x' * 100_000)\n    return 1\n\
         @Variable()\ndef b(run):\n    print('y' * 100_000)\n    return 2\n",
    );
    let (evaluated, cut_short) = evaluated(&folder, 2, &seconds(60));
    assert_eq!(cut_short, None);
    assert_eq!(evaluated.outcomes().len(), 2);
}

#[test]
fn a_fork_of_the_users_own_in_a_fork_does_not_speak_for_it() {
    let folder = Folder::with(
        "import os\n@Variable()\ndef forks(run):\n    \
         if os.fork() == 0:\n        return 'the child'\n    os.wait()\n    return 'the parent'\n\
         @Variable()\ndef other(run):\n    return 1\n",
    );
    let (evaluated, cut_short) = evaluated(&folder, 2, &seconds(60));
    assert_eq!(cut_short, None);
    assert_eq!(
        evaluated.cell("forks").data,
        Some(Data::Text("the parent".into()))
    );
}
