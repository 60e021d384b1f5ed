//! The users' own process pools get what a context file defines.

mod support;

use runledger_context::value::Data;
use support::{Evaluated, Folder};

/// Calls `function(1)` and `function(2)` in every kind of pool; `start` is how its processes come to be.
const POOLS: &str = r#"
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from damnit.context import Group

def everywhere(function, start):
    context = multiprocessing.get_context(start)
    with context.Pool(1) as pool:
        first = pool.map(function, [1, 2])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        second = list(pool.map(function, [1, 2]))
    return f"{first} {second}"
"#;

fn evaluated(code: &str) -> Evaluated {
    let folder = Folder::with(&format!("{POOLS}{code}"));
    folder.write("neighbour.py", "def thrice(x): return 3 * x\n");
    folder.evaluate()
}

fn text(evaluated: &Evaluated, name: &str) -> String {
    match &evaluated.cell(name).data {
        Some(Data::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

const FUNCTIONS: &str = r#"
from neighbour import thrice
def square(x): return x * x
def origin(x):
    import damnit.context, damnit_ctx
    return damnit.context.Variable is damnit_ctx.Variable is Variable and "runledger" in Variable.__module__
@Variable
def own(run): return everywhere(square, START)
@Variable
def imported(run): return everywhere(thrice, START)
@Variable
def language(run): return everywhere(origin, START)
"#;

#[test]
fn forked_and_spawned_pools_get_functions_of_the_file_and_its_neighbours() {
    for start in ["fork", "spawn"] {
        let found = evaluated(&format!("START = '{start}'\n{FUNCTIONS}"));
        assert_eq!(text(&found, "own"), "[1, 4] [1, 4]", "{start}");
        assert_eq!(text(&found, "imported"), "[3, 6] [3, 6]", "{start}");
        assert_eq!(
            text(&found, "language"),
            "[True, True] [True, True]",
            "{start}"
        );
    }
}

const METHODS: &str = r#"
@Variable
def source(run): return 3

@Group
class Detector:
    offset: int
    source: object = None
    other: object = None

    def shifted(self, x):
        return (x + self.offset, self.name, getattr(self.source, "name", None))

    @Variable
    def pooled(self, run):
        return everywhere(self.shifted, START)

one = Detector(offset=10, source=source)
two = Detector(offset=20, source=one.pooled, other=one)
"#;

#[test]
fn forked_and_spawned_pools_get_methods_of_groups_with_variables_and_groups_in_their_fields() {
    for start in ["fork", "spawn"] {
        let found = evaluated(&format!("START = '{start}'\n{METHODS}"));
        let one = "[(11, 'one', 'source'), (12, 'one', 'source')]";
        assert_eq!(
            text(&found, "one.pooled"),
            format!("{one} {one}"),
            "{start}"
        );
        let two = "[(21, 'two', 'one.pooled'), (22, 'two', 'one.pooled')]";
        assert_eq!(
            text(&found, "two.pooled"),
            format!("{two} {two}"),
            "{start}"
        );
    }
}

#[test]
fn a_variable_that_another_process_could_not_find_is_not_handed_over() {
    let found = evaluated(
        r#"
import copy, pickle
def make():
    @Variable
    def hidden(run): return 1
    return hidden
hidden = make()
@Variable
def told(run):
    try:
        pickle.dumps(hidden)
    except TypeError as error:
        return str(error)
@Variable
def copied(run):
    return f"{copy.copy(hidden).title} {copy.deepcopy(hidden) is hidden} {pickle.loads(pickle.dumps(told)) is told}"
"#,
    );
    assert!(text(&found, "told").starts_with("cannot pickle the variable 'hidden'"));
    assert_eq!(text(&found, "copied"), "hidden False True");
}
