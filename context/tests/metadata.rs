//! What the facility's metadata service says, through the package `extra_proposal`.

mod support;

use runledger_context::value::{Data, Texts};
use support::{Evaluated, Folder};

/// Like the package: a proposal has runs, and a run has a method for every field.
const SERVICE: &str = r#"
asked = []
class Proposal:
    def __init__(self, number):
        asked.append(number)
        self.number = number
    def __getitem__(self, run):
        return Run(self.number, run)
class Run:
    def __init__(self, *where): self.where = where
    def run_type(self): return f"Calibration {self.where}"
    def sample_name(self): raise LookupError("no sample is known")
    def techniques(self): return ["SAXS", "XES"]
"#;

const FILE: &str = r#"
@Variable
def kind(run, kind: "mymdc#run_type"): return kind
@Variable
def techniques(run, found: "mymdc#techniques"): return found
@Variable
def sample(run, sample: "mymdc#sample_name" = "water"): return sample
@Variable
def after(run, sample: "var#sample"): return sample
@Variable
def times_asked(run, a: "var#kind", b: "var#techniques"):
    import extra_proposal
    return len(extra_proposal.asked)
"#;

fn evaluated(service: &str) -> Evaluated {
    let folder = Folder::with(FILE);
    folder.write("extra_proposal.py", service);
    folder.evaluate()
}

#[test]
fn fields_of_the_run_arrive_and_the_service_is_asked_for_it_once() {
    let found = evaluated(SERVICE);
    assert_eq!(
        found.cell("kind").data,
        Some(Data::Text("Calibration (1234, 56)".into()))
    );
    let techniques = Texts {
        shape: vec![2],
        texts: vec!["SAXS".into(), "XES".into()],
    };
    assert_eq!(found.cell("techniques").data, Some(Data::Texts(techniques)));
    let Some(Data::Array(times)) = &found.cell("times_asked").data else {
        panic!("a number");
    };
    assert_eq!(times.bytes.in_memory().unwrap()[0], 1);
}

#[test]
fn a_field_that_fails_is_the_variables_error_even_with_a_default() {
    let found = evaluated(SERVICE);
    let why = found.failure("sample");
    assert_eq!(
        (why.class.as_str(), why.message.as_str()),
        ("LookupError", "no sample is known")
    );
    assert!(
        found
            .failure("after")
            .message
            .contains("(sample) failed: LookupError")
    );
}

#[test]
fn a_service_that_cannot_be_reached_costs_only_the_variables_that_ask_it() {
    let found = evaluated(
        "class Proposal:\n    def __init__(self, number): raise ConnectionError('away')\n",
    );
    assert_eq!(found.failure("kind").class, "ConnectionError");
    assert_eq!(found.failure("sample").message, "away");
    assert_eq!(found.failure("times_asked").class, "DependencyError");
}

#[test]
fn a_package_that_does_not_work_is_told_with_its_own_reason() {
    let found = evaluated("import no_such_package_of_the_facility\n");
    let why = found.failure("kind");
    assert_eq!(why.class, "ModuleNotFoundError");
    assert!(
        why.message.contains("extra_proposal") && why.message.contains("no_such_package"),
        "{why:?}"
    );
}
