//! The package `damnit` (the reference) and our runtime say the same of groups.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use runledger_context::Error;
use runledger_context::manifest::Declaration;
use runledger_context::value::{Data, Dtype, Outcome};
use serde::Deserialize;
use support::{Folder, python, seconds};

const FILE: &str = include_str!("group_parity_context.py");

const CLASS: &str = r#"
from damnit_ctx import *
@Group
class A:
    other: object = None
    @Variable
    def v(self, run, o: "self#other" = 3): return 1
@Group
class Holder:
    a: object
"#;

/// What follows after `CLASS` in a file that is refused, and the exception that says so.
const REFUSED: &[(&str, &str)] = &[
    ("__a = A()", "GroupError"),
    ("a = b = A()", "GroupError"),
    ("x = Holder(a=A())\ny = Holder(a=x.a)", "GroupError"),
    ("a = A(name='x')\nb = A(name='x')", "GroupError"),
    ("a = A(name='')", "GroupError"),
    ("a = A(name=3)", "GroupError"),
    ("a = A(other=4)", "GroupError"),
    ("a = A(other=[])", "GroupError"),
    ("a = A(positional)", "NameError"),
    ("a = A(4)", "TypeError"),
    ("a = A(unknown=4)", "TypeError"),
    ("a = Holder()", "TypeError"),
    ("a = A(tags=3)", "TypeError"),
    ("a = A(tags=['x', 3])", "TypeError"),
    ("@Group(tags=4)\nclass B: pass", "TypeError"),
    ("@Group\nclass B:\n    name: str", "GroupError"),
    ("@Group\nclass B:\n    sep = '-'", "GroupError"),
    (
        "@Group\nclass B:\n    @Variable\n    def title(self, run): pass",
        "GroupError",
    ),
    (
        "@Group\nclass B(A):\n    @Variable\n    def w(self, run, x: 'self#gone'): pass\nb = B()",
        "GroupError",
    ),
    (
        "@Variable\ndef q(run): pass\nq.name = 'a.v'\na = A()",
        "GroupError",
    ),
];

/// Where DAMNIT stumbles (AttributeError), ours says which link is wrong and why.
const REFUSED_IN_OTHER_WORDS: &[&str] = &[
    "@Group\nclass B(Holder):\n    @Variable\n    def w(self, run, x: 'self#gone.v'): pass\nb = B(a=A())",
    "@Group\nclass B(Holder):\n    @Variable\n    def w(self, run, x: 'self#a*.v'): pass\nb = B(a=A())",
];

/// DAMNIT refuses two groups that lack the same part, because their placeholders have one name.
const ACCEPTED_BY_US: &str = "@Group\nclass B(Holder):\n    @Variable\n    \
    def w(self, run, x: 'self#a.other'): pass\na = A()\nb = B(a=a)";

#[derive(Debug, Deserialize)]
struct Said {
    declared: Vec<Declaration>,
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, (String, String)>,
    refusals: Vec<String>,
}

fn reference(context: &Path, refused: &[String]) -> Said {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle_groups.py");
    let mut command = Command::new(python());
    command.arg(script).arg(context);
    let output = command
        .arg(serde_json::to_string(refused).unwrap())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the tests' Python needs damnit==0.4.0:\n{log}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// With the dependencies in the order of their names: they are a set.
fn declared(folder: &Folder) -> Vec<Declaration> {
    let mut variables = folder.start().unwrap().manifest().variables.clone();
    variables
        .iter_mut()
        .for_each(|variable| variable.dependencies.sort());
    variables
}

/// Values as Python shows them, and errors.
fn evaluated(folder: &Folder) -> (BTreeMap<String, String>, BTreeMap<String, (String, String)>) {
    let heard = folder.evaluate_within(&seconds(120), |request| {
        request.params.insert("known".into(), 5.into());
    });
    let (mut values, mut errors) = (BTreeMap::new(), BTreeMap::new());
    for (name, outcome) in heard.outcomes() {
        match outcome {
            Outcome::Failed(why) => {
                errors.insert(name.into(), (why.class.clone(), why.message.clone()));
            }
            Outcome::Cell(cell) => {
                values.extend(cell.data.as_ref().map(|data| (name.into(), shown(data))));
            }
        }
    }
    (values, errors)
}

fn shown(data: &Data) -> String {
    let array = match data {
        Data::Text(text) => return text.clone(),
        Data::Array(array) => array,
        other => panic!("neither a text nor a number: {other:?}"),
    };
    let bytes = array.bytes.in_memory().unwrap();
    match &array.dtype {
        Dtype::Plain(kind) if kind == "<f8" => {
            format!("{:?}", f64::from_le_bytes(bytes.try_into().unwrap()))
        }
        Dtype::Plain(kind) if kind == "<i8" => {
            i64::from_le_bytes(bytes.try_into().unwrap()).to_string()
        }
        Dtype::Plain(kind) if kind == "|b1" => ["False", "True"][usize::from(bytes[0])].into(),
        other => panic!("a number of type {other:?}"),
    }
}

/// The class of the exception with which a file is refused.
fn refusal(code: &str) -> String {
    match Folder::with_exactly(code).refusal() {
        Error::ContextFile { problems, .. } => {
            let class = problems[0].message.split(':').next();
            class.unwrap_or_default().into()
        }
        other => panic!("{code}\n{other}"),
    }
}

#[test]
fn declarations_results_and_errors_of_groups_are_those_of_the_reference() {
    let folder = Folder::with_exactly(FILE);
    let known = REFUSED.iter().map(|(code, _)| *code);
    let refused = known
        .chain(REFUSED_IN_OTHER_WORDS.iter().copied())
        .chain([ACCEPTED_BY_US]);
    let refused: Vec<String> = refused.map(|code| format!("{CLASS}{code}\n")).collect();
    let expected = reference(&folder.path().join("context.py"), &refused);
    assert!(
        expected.declared.len() > 40 && expected.errors.len() > 8 && expected.values.len() > 25
    );

    assert_eq!(declared(&folder), expected.declared);
    let (values, errors) = evaluated(&folder);
    assert_eq!(values, expected.values);
    assert_eq!(errors, expected.errors);

    let mut theirs = expected.refusals.into_iter();
    for (code, class) in REFUSED {
        assert_eq!(theirs.next().as_deref(), Some(*class), "{code}");
        assert_eq!(refusal(&format!("{CLASS}{code}\n")), *class, "{code}");
    }
    for code in REFUSED_IN_OTHER_WORDS {
        assert_eq!(theirs.next().as_deref(), Some("AttributeError"), "{code}");
        assert_eq!(refusal(&format!("{CLASS}{code}\n")), "GroupError", "{code}");
    }
    assert_eq!(theirs.next().as_deref(), Some("GroupError"));
    let accepted = Folder::with_exactly(&format!("{CLASS}{ACCEPTED_BY_US}\n"));
    assert_eq!(declared(&accepted).len(), 3);
}
