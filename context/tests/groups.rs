//! Groups: variables that are declared once in a class, for each of its instances.

mod support;

use runledger_context::Error;
use runledger_context::manifest::{Declaration, Manifest};
use runledger_context::run::RunData;
use runledger_context::selection::Selection;
use runledger_context::value::{Data, Summary};
use support::{Evaluated, Folder};

/// A class that the files of most tests use.
const DETECTOR: &str = r#"
from damnit_ctx import Group, GroupError
from typing import Any

@Group(tags="detector")
class Detector:
    offset: int = 0
    source: Any = None

    @Variable(title="Counts", tags=["b", "a"])
    def n(self, run):
        """How many."""
        return 10 + self.offset

    @Variable(units="mJ")
    def energy(self, run, n: "self#n", source: "self#source" = 0.5):
        return float(n * source)
"#;

fn folder(code: &str) -> Folder {
    Folder::with(&format!("{DETECTOR}{code}"))
}

fn manifest(code: &str) -> Manifest {
    folder(code).start().unwrap().manifest().clone()
}

fn declared<'m>(manifest: &'m Manifest, name: &str) -> &'m Declaration {
    let names: Vec<_> = manifest.variables.iter().map(|v| &v.name).collect();
    let found = manifest.variable(name);
    found.unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

fn tags(variable: &Declaration) -> Vec<&str> {
    let tags = variable.tags.iter().flatten();
    tags.map(String::as_str).collect()
}

/// The one problem of a file that is refused.
fn problem(code: &str) -> String {
    match folder(code).refusal() {
        Error::ContextFile { problems, .. } if problems.len() == 1 => problems[0].to_string(),
        other => panic!("{other}"),
    }
}

fn assert_refused(code: &str, parts: &[&str]) {
    let found = problem(code);
    for part in parts {
        assert!(found.contains(part), "{part}\nis not in\n{found}");
    }
}

fn number(evaluated: &Evaluated, name: &str) -> f64 {
    let Some(Summary::Array(array)) = &evaluated.cell(name).summary else {
        panic!("{name} is no number");
    };
    let bytes: [u8; 8] = array.bytes.in_memory().unwrap().try_into().unwrap();
    match &array.dtype {
        runledger_context::value::Dtype::Plain(dtype) if dtype == "<f8" => {
            f64::from_le_bytes(bytes)
        }
        _ => i64::from_le_bytes(bytes) as f64,
    }
}

fn text(evaluated: &Evaluated, name: &str) -> String {
    match &evaluated.cell(name).data {
        Some(Data::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn each_instance_has_the_variables_of_its_class() {
    let folder =
        folder("left = Detector()\nright = Detector(offset=5, title='Right one', sep=' - ')\n");
    let manifest = folder.start().unwrap().manifest().clone();
    let n = declared(&manifest, "left.n");
    assert_eq!(
        (n.title.as_str(), n.description.as_deref()),
        ("left/Counts", Some("How many."))
    );
    assert_eq!(declared(&manifest, "right.n").title, "Right one - Counts");
    assert_eq!(
        declared(&manifest, "right.energy").units.as_deref(),
        Some("mJ")
    );
    assert_eq!(
        declared(&manifest, "right.energy").dependencies[0],
        "right.n"
    );
    let evaluated = folder.evaluate();
    assert_eq!(number(&evaluated, "left.n"), 10.0);
    assert_eq!(number(&evaluated, "right.energy"), 7.5);
}

#[test]
fn variables_of_groups_are_selected_by_name_and_title() {
    let manifest = manifest("left = Detector(title='Left one')\nright = Detector()\n");
    let mut selection = Selection::of(RunData::All);
    selection.names = vec!["right.energy".into()];
    let picked = selection.names(&manifest);
    assert_eq!(
        picked
            .iter()
            .filter(|name| !name.contains("__missing__"))
            .count(),
        2
    );
    assert!(picked.ends_with(&["right.energy".into()]), "{picked:?}");
    selection.names.clear();
    selection.matches = vec!["left ONE/c".into()];
    assert_eq!(selection.names(&manifest), ["left.n"]);
}

#[test]
fn tags_of_group_and_variable_are_merged_and_those_of_the_instance_replace_the_class_ones() {
    let manifest = manifest(
        r#"
a = Detector()
b = Detector(tags=["z", "a"])
c = Detector(tags=None)
@Group
class Inherits(Detector): pass
d = Inherits()
@Group(tags=())
class Without(Detector): pass
e = Without()
"#,
    );
    let of = |name| tags(declared(&manifest, name));
    assert_eq!(of("a.n"), ["a", "b", "detector"]);
    assert_eq!(of("b.n"), ["a", "b", "z"]);
    assert_eq!(of("d.energy"), ["detector"]);
    for name in ["c.energy", "e.energy"] {
        assert_eq!(
            declared(&manifest, name).tags.as_deref(),
            Some([].as_slice())
        );
    }
}

#[test]
fn links_reach_variables_and_groups_in_fields() {
    let evaluated = folder(
        r#"
@Variable
def factor(run): return 3

@Group
class Pair:
    left: Detector
    right: Detector

    @Variable
    def total(self, run, a: "self#left.n", b: "self#right.n", f: "self#right.source"):
        return a + b + f

    @Variable
    def names(self, run, all_n: "self#left.n*", own: "self#tot*"):
        return f"{sorted(all_n)} {sorted(own)}"

left = Detector()
pair = Pair(left=left, right=Detector(offset=1, source=factor))
bound = Detector(source=left.n)
"#,
    )
    .evaluate();
    assert_eq!(number(&evaluated, "pair.total"), 24.0);
    assert_eq!(number(&evaluated, "pair.right.n"), 11.0);
    assert_eq!(number(&evaluated, "bound.energy"), 100.0);
    assert_eq!(text(&evaluated, "pair.names"), "['left.n'] ['pair.total']");
}

#[test]
fn nested_groups_are_called_by_the_shortest_path_to_them() {
    let manifest = manifest(
        r#"
@Group
class Holder:
    inner: Any = None
    sep_of_inner: str = "/"
deep = Holder(inner=Holder(inner=Detector(sep=": ")))
shared = Detector()
again = Holder(inner=shared)
named = Holder(name="given.name", inner=Detector(name="own"))
__unseen = Holder(name="stage", inner=Detector())
"#,
    );
    let title = |name| declared(&manifest, name).title.as_str();
    assert_eq!(title("deep.inner.inner.n"), "deep: inner: inner: Counts");
    assert_eq!(title("shared.n"), "shared/Counts");
    assert_eq!(title("own.n"), "own/Counts");
    assert_eq!(title("stage.inner.n"), "stage/inner/Counts");
    assert!(manifest.variable("again.inner.n").is_none());
}

#[test]
fn an_optional_part_that_is_missing_takes_its_dependents_along_or_leaves_them_the_default() {
    let evaluated = folder(
        r#"
@Group
class Image:
    detector: Any = None

    @Variable
    def n(self, run, n: "self#detector.n", again: "self#detector.sub.*"):
        return n

    @Variable
    def with_default(self, run, n: "self#detector.n" = 4):
        return n

    @Variable
    def after(self, run, n: "self#n"):
        return n
a = Image()
@Group
class Outer:
    image: Image
    @Variable
    def n(self, run, n: "self#image.detector.n"): return n
b = Outer(image=a)
"#,
    )
    .evaluate();
    let why = evaluated.failure("a.n");
    assert_eq!(why.class, "Skip");
    assert_eq!(
        why.message,
        "Dependencies returned no data:\n- 'a.__missing__.detector.n'\n- 'a.__missing__.detector.sub._'"
    );
    assert_eq!(number(&evaluated, "a.with_default"), 4.0);
    assert!(
        evaluated
            .failure("a.after")
            .message
            .contains("└ (a.n) failed: Skip: Dependencies")
    );
    assert!(
        evaluated
            .failure("b.n")
            .message
            .ends_with("- 'a.__missing__.detector.n'")
    );
}

#[test]
fn classes_inherit_fields_and_variables_as_dataclasses_do() {
    let evaluated = folder(
        r#"
import dataclasses
@Group
class Better(Detector):
    gain: int
    marks: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.marks.append(self.offset)

    @Variable(title="Better counts")
    def n(self, run):
        return self.offset * self.gain + self.factor()

    @Variable
    def marked(self, run):
        return f"{self.marks} {self.name} {self.title} {self.tags} {self.sep}"

    def factor(self):
        return 2

class Undecorated(Better):
    def factor(self):
        return 3
a = Better(offset=7, gain=10)
b = Undecorated(gain=1, title="B")
assert repr(b).startswith("Undecorated(") and b != a
"#,
    )
    .evaluate();
    assert_eq!(number(&evaluated, "a.n"), 72.0);
    assert_eq!(number(&evaluated, "a.energy"), 36.0);
    assert_eq!(number(&evaluated, "b.n"), 3.0);
    assert_eq!(text(&evaluated, "a.marked"), "[7] a a ('detector',) /");
    assert_eq!(text(&evaluated, "b.marked"), "[0] b B ('detector',) /");
}

#[test]
fn data_and_cluster_pass_on_within_groups_without_touching_other_instances() {
    let manifest = manifest(
        r#"
@Variable(data="proc", cluster=True)
def corrected(run): return 1
a = Detector(source=corrected)
b = Detector()
"#,
    );
    let of = |name| {
        (
            declared(&manifest, name).data,
            declared(&manifest, name).cluster,
        )
    };
    assert_eq!(of("a.energy"), (RunData::Proc, true));
    assert_eq!(of("a.n"), (RunData::Raw, false));
    assert_eq!(of("b.energy"), (RunData::Raw, false));
}

#[test]
fn a_link_that_is_kept_under_a_name_of_its_own_declares_nothing() {
    let manifest = manifest("a = Detector()\nkept = a.n\nassert kept.title == 'Counts'\n");
    let names: Vec<_> = manifest.stored().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["a.n", "a.energy"]);
}

#[test]
fn a_group_without_a_name_of_its_own_is_refused() {
    assert_refused("__a = Detector()\n", &["'Detector' has no name", "name=…"]);
    assert_refused("a = b = Detector()\n", &["several names (a, b)", "name=…"]);
    assert_refused("a = Detector(name='')\n", &["the name ''"]);
    assert_refused(
        "a = Detector(name='x')\nb = Detector(name='x')\n",
        &["Several groups have the name 'x'"],
    );
    let nested = "class H:\n    d: Any\nd = Detector(name=None)\n";
    assert_refused(
        &format!("@Group\n{nested}a = H(d=d)\nb = H(d=d)\ndel d\n"),
        &["(a.d, b.d)"],
    );
}

#[test]
fn a_variable_that_is_there_twice_is_refused() {
    let code = "@Variable\ndef other(run): pass\nother.name = 'a.n'\na = Detector()\n";
    assert_refused(code, &["GroupError", "the name 'a.n'"]);
}

#[test]
fn names_that_every_group_has_are_refused_with_their_line() {
    let class =
        "@Group\nclass Wrong:\n    name: str\n    @Variable\n    def tags(self, run): pass\n";
    assert_refused(
        class,
        &["context.py:", "GroupError", "'Wrong' defines name, tags"],
    );
}

#[test]
fn all_links_that_lead_nowhere_are_told_at_once_with_their_lines() {
    let code = r#"
@Group
class Wrong:
    number: int = 3
    detector: Any = None
    @Variable
    def v(self, run, a: "self#absent", b: "self#number", c: "self#number.n", d: "self#det*.n"): pass
    @Variable
    def w(self, run, e: "self#detector.gone", f: "self#gone.n", g: "self#broken"): pass
    @property
    def broken(self): return None.what
x = Wrong(detector=Detector())
"#;
    let folder = folder(code);
    let Error::ContextFile {
        problems,
        traceback,
        ..
    } = folder.refusal()
    else {
        panic!("a context file that is refused");
    };
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "x.v asks for 'self#absent': the group 'x' (Wrong) has no variable or field 'absent'",
        "x.v asks for 'self#number': the field 'number' of the group 'x' (Wrong) must hold a Variable, not int",
        "x.v asks for 'self#number.n': the field 'number' of the group 'x' (Wrong) must hold a group, not int",
        "x.v asks for 'self#det*.n': 'det*' is a pattern, which can only be the last part",
        "x.w asks for 'self#detector.gone': the group 'x.detector' (Detector) has no variable or field 'gone'",
        "x.w asks for 'self#gone.n': the group 'x' (Wrong) has no field 'gone'",
        "x.w asks for 'self#broken': 'broken' of the group 'x' (Wrong) cannot be read: \
         'NoneType' object has no attribute 'what'",
    ];
    for (text, expected) in texts.iter().zip(expected) {
        let end = format!(": GroupError: {expected}");
        assert!(text.ends_with(&end), "{text}\nis not\n{expected}");
    }
    assert_eq!(texts.len(), expected.len());
    let code = std::fs::read_to_string(folder.path().join("context.py")).unwrap();
    for (problem, name) in problems.iter().zip("vvvvwww".chars()) {
        // A decorated function begins with its decorator.
        let function = code.lines().nth(problem.line.unwrap() as usize).unwrap();
        assert!(function.contains(&format!("def {name}(self")), "{problem}");
    }
    assert_eq!(traceback, None);
}

#[test]
fn fields_that_a_class_does_not_have_or_that_lack_a_value_are_told_with_the_line_of_the_instance() {
    let class = "@Group\nclass Needs:\n    x: int\n    y: int = 2\n    z: int\n";
    assert_refused(
        &format!("{class}a = Needs(y=1)\n"),
        &["TypeError", "x", "z"],
    );
    assert_refused(
        "a = Detector(gain=1)\n",
        &["context.py:", "TypeError", "'gain'"],
    );
    assert_refused(
        "a = Detector(5)\n",
        &["TypeError", "takes 1 positional argument"],
    );
    assert_refused(
        "a = Detector(tags=['x', 3])\n",
        &["tags=['x', 3] of a group"],
    );
    assert_refused("@Group\ndef f(): pass\n", &["@Group decorates a class"]);
}

#[test]
fn a_pattern_that_matches_no_variable_of_the_group_is_an_error_of_the_file() {
    let code =
        "@Group\nclass G:\n    @Variable\n    def v(self, run, x: 'self#z*' = 1): pass\ng = G()\n";
    assert_refused(code, &["no variable matches the pattern 'g.z*'"]);
}
