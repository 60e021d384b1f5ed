//! Pipelines: the same scenes with the package `damnit` (the reference) and with our runtime, and pipelines in jobs.

mod support;

use std::path::Path;
use std::process::Command;

use runledger_context::Error;
use runledger_context::value::{Data, Outcome};
use runledger_context::worker::{Limits, Worker};
use serde_json::{Map, Value};
use support::{Folder, evaluate, mock_request, python, seconds};

fn here(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn played(command: &mut Command) -> Map<String, Value> {
    let output = command.output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn scenes() -> Command {
    let mut command = Command::new(python());
    command.arg(here("tests/pipeline_scenes.py"));
    command
}

#[test]
fn pipelines_come_to_the_same_as_those_of_the_reference() {
    let expected = played(scenes().arg("damnit"));
    let found = played(scenes().env("PYTHONPATH", here("python")));
    assert!(expected.len() > 15);
    for (scene, outcome) in &expected {
        assert_eq!(outcome[0], "returned", "{scene}: {outcome}");
        assert_eq!(&found[scene], outcome, "{scene}");
    }
}

#[test]
fn a_context_file_says_by_a_pipeline_which_variables_it_means() {
    let folder = Folder::with(
        r#"
from damnit.context import Pipeline
@Variable
def one(run): return 1
@Variable
def two(run, x: "var#one"): return 2
@Variable
def three(run): return 3
Pipeline.set_default(Pipeline(9, 9).add(one, two, three).select(variables="two"))
"#,
    );
    let worker = folder.start().unwrap();
    let declared: Vec<&str> = worker.manifest().order.iter().map(String::as_str).collect();
    assert_eq!(declared, ["one", "two"]);
}

#[test]
fn variables_of_a_default_pipeline_that_share_a_name_with_others_are_an_error_of_the_file() {
    let refused = Folder::with(
        r#"
from damnit_ctx import Pipeline
@Variable
def one(run): return 1
Pipeline.default().add(one)
@Variable
def one(run): return 2
"#,
    )
    .refusal();
    let Error::ContextFile { problems, .. } = refused else {
        panic!("{refused:?}");
    };
    assert!(
        problems[0].message.starts_with("GroupError: "),
        "{problems:?}"
    );
    assert!(problems[0].message.contains("'one'"), "{problems:?}");
}

#[test]
fn a_pipeline_within_a_variable_opens_its_run_as_the_job_does() {
    let folder = Folder::with(
        r#"
from damnit_ctx import Pipeline
import sys
@Variable
def here(run): return run
@Variable
def there(run, number: "meta#run_number"):
    results = Pipeline(900, number + 1, run_data="raw").add(here).execute()
    return str(results.cells["here"].data) + " " + str("extra_data" in sys.modules)
"#,
    );
    folder.write(
        "facility.py",
        "def open_run(proposal, run, data):\n    return f'{proposal} {run} {data}'\n",
    );
    let evaluated = folder.evaluate_within(&seconds(60), |request| {
        request.mock = false;
        request.opener = Some("facility:open_run".into());
    });
    let text = |name: &str| evaluated.cell(name).data.clone();
    assert_eq!(text("here"), Some(Data::Text("1234 56 all".into())));
    assert_eq!(text("there"), Some(Data::Text("900 57 raw False".into())));
}

/// Two results and an error, handed in by a variable.
const SAVES: &str = r#"
from damnit_ctx import Pipeline
@Variable(units="mm")
def inner(run): return [1, 2]
@Variable
def broken(run): return 1 / 0
def results():
    return Pipeline(900, 7, data=0).add(inner, broken).execute()
@Variable
def saved(run):
    return str(results().save("elsewhere", 900, 7))
@Variable
def next(run): return 1
"#;

/// Evaluates everything with a desk that collects what it is given.
fn collecting(code: &str) -> (support::Evaluated, Vec<String>, Folder) {
    let folder = Folder::with(code);
    let mut worker = folder.start().unwrap();
    let (notes, collected) = std::sync::mpsc::channel();
    worker.on_submission(move |submission| {
        let dir = submission.database_dir.file_name().unwrap().to_owned();
        let head = (
            dir,
            submission.run.to_string(),
            submission.provenance.clone(),
        );
        notes.send(format!("{head:?}")).unwrap();
        while let Some((name, outcome)) = submission.next_result().map_err(|why| why.to_string())? {
            let what = match outcome {
                Outcome::Cell(cell) => format!("{:?} {}", cell.units, cell.data.is_some()),
                Outcome::Failed(failure) => format!("{}: {}", failure.class, failure.message),
            };
            notes.send(format!("{name}: {what}")).unwrap();
        }
        Ok("/the/fragment".into())
    });
    let evaluated = evaluate_all_of(&mut worker);
    drop(worker);
    (evaluated, collected.iter().collect(), folder)
}

fn evaluate_all_of(worker: &mut Worker) -> support::Evaluated {
    let request = mock_request(worker.manifest().order.clone());
    evaluate(worker, &request, &Limits::none())
}

#[test]
fn results_that_a_variable_saves_are_handed_to_the_job_which_answers_with_their_file() {
    let (evaluated, collected, _folder) = collecting(SAVES);
    assert_eq!(
        evaluated.cell("saved").data,
        Some(Data::Text("/the/fragment".into()))
    );
    assert_eq!(
        collected,
        [
            r#"("elsewhere", "p900 r7", "context.py")"#,
            "start_time: None true",
            r#"inner: Some("mm") true"#,
            "broken: ZeroDivisionError: division by zero",
        ]
    );
}

#[test]
fn what_cannot_be_saved_costs_one_of_the_results() {
    let (_, collected, _folder) = collecting(
        r#"
from damnit_ctx import save_fragment
class Odd(Cell):
    def __init__(self): super().__init__(1); self.data = {1: object()}
@Variable
def saved(run):
    return str(save_fragment(".", 900, 7, {"odd": Odd(), "good": Cell(1)}, {"bad": KeyError("x")}, provenance="me"))
"#,
    );
    assert!(
        collected[1].starts_with("odd: TypeError: "),
        "{collected:?}"
    );
    assert_eq!(collected[2..], ["good: None true", "bad: KeyError: 'x'"]);
}

#[test]
fn a_reason_not_to_save_is_raised_where_it_was_asked_for_and_the_job_goes_on() {
    let folder = Folder::with(SAVES);
    let mut worker = folder.start().unwrap();
    // Without having read the results.
    worker.on_submission(|_| Err("the disk is full".into()));
    let evaluated = evaluate_all_of(&mut worker);
    let failure = evaluated.failure("saved");
    assert_eq!(
        (failure.class.as_str(), failure.message.as_str()),
        ("NotSaved", "the disk is full")
    );
    assert!(evaluated.outcomes().contains_key("next"));
}

#[test]
fn threads_can_save_while_variables_go_on() {
    let (evaluated, collected, _folder) = collecting(
        r#"
from damnit_ctx import save_fragment
import threading
answers = []
def save(): answers.append(str(save_fragment(".", 900, 7, {"x": Cell(np.zeros(10000))}, {}, provenance="")))
threads = []
@Variable
def begun(run):
    threads.extend(threading.Thread(target=save) for _ in range(8))
    for thread in threads: thread.start()
    return np.zeros(100000)
@Variable
def ended(run, x: "var#begun"):
    for thread in threads: thread.join()
    return " ".join(answers)
"#,
    );
    let all = ["/the/fragment"; 8].join(" ");
    assert_eq!(evaluated.cell("ended").data, Some(Data::Text(all)));
    assert_eq!(collected.len(), 16);
}

#[test]
fn a_name_that_could_be_a_path_is_refused_before_anything_is_sent() {
    let (evaluated, collected, _folder) = collecting(
        r#"
from damnit_ctx import save_fragment
@Variable
def saved(run):
    return str(save_fragment(".", 900, 7, {"good": Cell(1)}, {"../x": KeyError("x")}))
"#,
    );
    assert_eq!(evaluated.failure("saved").class, "ValueError");
    assert_eq!(collected, [""; 0]);
}

/// The names and titles that an example of the documentation declares.
fn declared_by_example(number: usize) -> Vec<(String, String)> {
    let page = std::fs::read_to_string(here("../docs/context-files.md")).unwrap();
    let example = page.split("```python").nth(number).unwrap();
    let folder = Folder::with_exactly(example.split("```").next().unwrap());
    let worker = folder.start().unwrap();
    let declared = worker.manifest().stored();
    declared
        .map(|variable| (variable.name.clone(), variable.title.clone()))
        .collect()
}

#[test]
fn the_examples_of_the_documentation_are_context_files() {
    let pair = |name: &str, title: &str| (name.to_owned(), title.to_owned());
    assert_eq!(
        declared_by_example(1),
        [
            pair("pulse_energy", "Pulse energy"),
            pair("strong_pulses", "Strong pulses")
        ]
    );
    let groups = declared_by_example(2);
    for wanted in [
        pair("agipd.mean", "agipd/Mean"),
        pair("jungfrau.is_on", "JF/Is on"),
    ] {
        assert!(groups.contains(&wanted), "{groups:?}");
    }
}
