//! The real package `damnit`, where users have it, and our language beside it.

mod support;

use runledger_context::value::Data;
use support::{Evaluated, Folder};

fn text(evaluated: &Evaluated, name: &str) -> String {
    match &evaluated.cell(name).data {
        Some(Data::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

/// A database that the real package reads: it goes by the settings that are in there.
const DATABASE: &str = r#"
def with_database():
    import os
    from damnit.backend.db import DamnitDB
    if not os.path.exists("other/runs.sqlite"):
        os.mkdir("other")
        database = DamnitDB.from_dir("other", create=True)
        database.metameta["proposal"] = 1234
        database.close()
    from damnit import Damnit
    return f"{Damnit('other').proposal} {Damnit.__module__}"
"#;

const LANGUAGE: &str = r#"
def language():
    import sys, damnit.context, damnit_ctx
    from damnit.context import Variable, Cell, Skip, Group, GroupError, RunData
    same = damnit.context is damnit_ctx is sys.modules["damnit.context"]
    return f"{same} {Variable is damnit_ctx.Variable} {Group is damnit_ctx.Group} {Variable.__module__}"
"#;

const OURS: &str = "True True True runledger_runtime.variable";
const THEIRS: &str = "1234 damnit.api";

#[test]
fn the_package_is_there_beside_our_language_whichever_comes_first() {
    for (first, second) in [("with_database", "language"), ("language", "with_database")] {
        let code = format!(
            r#"
import damnit
first, second = {first}(), {second}()
assert damnit.__version__ and damnit.Damnit and damnit.context.Variable
@Variable
def package(run): return first if "{first}" == "with_database" else second
@Variable
def names(run): return first if "{first}" == "language" else second
@Variable
def again(run): return f"{{with_database()}}; {{language()}}"
"#
        );
        let found = Folder::with(&format!("{DATABASE}{LANGUAGE}{code}")).evaluate();
        assert_eq!(text(&found, "package"), THEIRS);
        assert_eq!(text(&found, "names"), OURS);
        assert_eq!(text(&found, "again"), format!("{THEIRS}; {OURS}"));
    }
}

#[test]
fn a_process_of_the_users_own_has_the_real_package_alone() {
    // With our environment and nothing of ours: what a script of theirs would see.
    let found = Folder::with(
        r#"
import subprocess, sys
SCRIPT = """
from damnit.context import Variable, Pipeline
import damnit_ctx, sys
assert damnit_ctx.Variable is Variable
print(Variable.__module__, any(name.startswith("runledger") for name in sys.modules))
"""
@Variable
def script(run):
    return subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
"#,
    )
    .evaluate();
    assert_eq!(text(&found, "script"), "damnit_ctx False\n");
}

#[test]
fn without_the_package_only_our_language_is_there() {
    let found = Folder::with(&format!(
        r#"
import sys
# As if it had never been installed.
for finder in sys.meta_path:
    if getattr(finder, "__name__", "") == "PathFinder":
        class Without:
            def find_spec(self, name, *more, found=finder.find_spec):
                return None if name == "damnit" else found(name, *more)
        sys.meta_path[sys.meta_path.index(finder)] = Without()
{LANGUAGE}
@Variable
def names(run): return language()
@Variable
def package(run):
    try:
        from damnit import Damnit
    except ImportError as error:
        return str(error)
"#
    ))
    .evaluate();
    assert_eq!(text(&found, "names"), OURS);
    assert!(text(&found, "package").contains("Damnit"));
}
