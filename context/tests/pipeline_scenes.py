"""Scenes with pipelines, played with the package `damnit` and with ours: JSON on stdout, for the test to compare.

    pipeline_scenes.py            (ours, by PYTHONPATH)
    pipeline_scenes.py damnit     (theirs)
"""
import json
import sys
import tempfile
from graphlib import CycleError
from pathlib import Path

import numpy as np

if sys.argv[1:] == ["damnit"]:
    import damnit.context  # noqa: F401 (puts damnit_ctx on the path)
from damnit_ctx import Cell, Group, GroupError, Pipeline, RunData, Skip, Variable

# The classes that a user's `except` may name, the special ones first.
CLASSES = (GroupError, CycleError, KeyError, SyntaxError, TypeError, ValueError, ZeroDivisionError, RuntimeError,
           FileNotFoundError)


def named(function, name, **declared):
    function.__name__ = name
    return Variable(**declared)(function)


def constant(name, value, **declared):
    return named(lambda run: value, name, **declared)


def scenes():
    return {name: function for name, function in globals().items() if name.startswith("scene_")}


def shown(value):
    """A value, in a form that JSON can hold and that is the same for both."""
    if isinstance(value, Pipeline):
        return sorted(value.vars)
    if hasattr(value, "cells"):
        return {
            "cells": {name: shown(cell) for name, cell in value.cells.items() if name != "start_time"},
            "start": isinstance(value.cells["start_time"].data, np.ndarray),
            "errors": {name: [type(error).__name__, str(error)] for name, error in value.errors.items()},
        }
    if isinstance(value, Cell):
        return [shown(value.data), value.summary, value.units]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value if value is None or isinstance(value, (int, float, str)) else repr(value)


def raised(action, *arguments, **named):
    """The class of what a call raises, as users can catch it."""
    try:
        return ["returned", shown(action(*arguments, **named))]
    except Exception as error:
        return ["raised", next((kind.__name__ for kind in CLASSES if isinstance(error, kind)), "Exception")]


def chain():
    a = constant("a", 1, title="Alpha", tags="one", units="mm")
    b = named(lambda run, a: a + 1, "b", title="Beta", data="proc", summary="max")
    b.func.__annotations__ = {"a": "var#a"}
    c = named(lambda run, b: b + 1, "c", title="Gamma", cluster=True)
    c.func.__annotations__ = {"b": "var#b"}
    d = constant("d", 4, title="Delta alpha", transient=True)
    return Pipeline(1, 2, data="run").add(a, [b, (c,)], {"x": d})


def scene_execution():
    return chain().execute()


def scene_results_are_kept_until_something_is_added():
    pipe = chain()
    before = pipe.results is None
    results = pipe.execute()
    same = pipe.results is results
    pipe.add()
    return [before, same, pipe.results is None]


def scene_selection():
    pipe = chain()
    return {
        "all": pipe.select(), "by name": pipe.select(variables=["c"]), "both": pipe.select(variables=["a"], match=["beta"]),
        "by title": pipe.select(match=["ALPHA"]), "none": pipe.select(match=["zeta"]), "unknown": pipe.select(variables=["zeta"]),
        "raw": pipe.select(run_data="raw"), "proc": pipe.select(run_data=RunData.PROC), "cluster": pipe.select(cluster=True),
        "not cluster": pipe.select(cluster=False), "original": pipe,
    }


def scene_a_selection_executes():
    return chain().select(variables=["b"]).execute()


def scene_description():
    pipe = chain()
    return [pipe.vars_to_dict(), pipe.vars_to_dict(inc_transient=True)]


def scene_names():
    pipe = chain()
    return [
        pipe.name, Pipeline().name, Pipeline(5, 6, param_values={"x": 1}).name, Pipeline(name="mine").name,
        pipe.with_context(name="other").name, Pipeline(name="mine").copy().name, pipe.select(variables=["a"]).name,
    ]


def scene_copies():
    pipe = Pipeline(1, 2, name="n", data="run", run_data="raw", param_values={"p": 1}).add(constant("a", 1))
    copies = [pipe.copy(), pipe.with_context(), pipe.with_context(proposal=7, run_number=8, run_data="proc", data="x", param_values={})]
    copies[0].param_values["q"] = 2
    copies[0].add(constant("b", 1))
    return [
        [each.proposal, each.run_number, each.data, each.run_data.name, each.param_values, sorted(each.vars)]
        for each in (pipe, *copies)
    ]


def scene_parameters():
    def function(run, p: "param#p", q: "param#q" = 5, number: "meta#run_number" = 0, proposal: "meta#proposal" = 0,
                 path: "meta#proposal_path" = None):
        return f"{p} {q} {number} {proposal} {path!r}"

    pipe = Pipeline(1, 2, data="run", param_values={"p": 1}).add(Variable(function))
    return [pipe.execute(), pipe.execute(param_values={"p": 2, "q": 3}), pipe.param_values,
            Pipeline(1, 2, data="run").add(Variable(function)).execute()]


def scene_data_of_the_call_goes_first():
    pipe = Pipeline(1, 2, data="mine").add(named(lambda run: run, "f"))
    return [pipe.execute(), pipe.execute(data="theirs"), pipe.with_context(data="other").execute()]


def scene_failures():
    def broken(run):
        return 1 / 0

    def skipped(run):
        raise Skip("why")

    def after(run, x: "var#broken", y: "var#skipped"):
        return 1

    def lonely(run, y: "var#skipped"):
        return 1

    def nothing(run):
        return None

    def after_nothing(run, x: "var#nothing"):
        return 1

    def hidden(run):
        raise KeyError("secret")

    def after_hidden(run, x: "var#hidden"):
        return 1

    functions = (broken, skipped, after, lonely, nothing, after_nothing, after_hidden)
    return Pipeline(1, 2, data="run").add([Variable(f) for f in functions], Variable(transient=True)(hidden)).execute()


def scene_ctrl_c_ends_everything():
    def stop(run):
        raise KeyboardInterrupt

    try:
        return Pipeline(1, 2, data="run").add(Variable(stop)).execute()
    except KeyboardInterrupt:
        return "interrupted"


def scene_union():
    a, other = constant("a", 1), constant("a", 2)
    left = Pipeline(1, 2, data="run", name="left").add(a)
    right = Pipeline(3, 4, data="run", name="right").add(other, constant("b", 3))
    same = Pipeline().add(a)
    joined = {way: left.union(right, on_conflict=way) for way in ("left", "right")}
    return [
        {way: pipe.execute() for way, pipe in joined.items()}, joined["left"].name, joined["right"].proposal,
        raised(left.union, right)[0], raised(left.union, right, on_conflict="both"), raised(left.union, [a]),
        left.union(same), left,
    ]


def scene_what_cannot_be_added():
    pipe = Pipeline().add(constant("a", 1))
    return [
        raised(pipe.add, item)
        for item in (1, "a", b"a", None, {"x": 1}, {"x": [constant("z", 1)]}, [1], {"x": {"y": "z"}}, constant("a", 2), iter([]))
    ] + [pipe]


def scene_nested_containers():
    return Pipeline().add([{"x": {"y": constant("a", 1)}}, [constant("b", 1), [constant("c", 1)]]], ())


def scene_what_does_not_go_together():
    def needs_nothing_there(run, x: "var#absent"):
        pass

    def here(run, x: "var#there"):
        pass

    def there(run, x: "var#here"):
        pass

    proc = constant("proc", 1, data="proc")

    def raw(run, x: "var#proc"):
        pass

    def weather(run, x: "mymdc#weather"):
        pass

    return [
        raised(Pipeline().add, Variable(needs_nothing_there)), raised(Pipeline().add, Variable(here), Variable(there)),
        raised(Pipeline().add, proc, Variable(data="raw")(raw)), raised(Pipeline().add, Variable(weather)),
        raised(Pipeline().add, constant("a", 1, title="T"), constant("b", 1, title="T")),
        raised(Pipeline().add, constant("a", 1, units="")), raised(Pipeline().add, constant("a", 1, tags=[""])),
        raised(Pipeline().add, constant("not a name", 1)), raised(Pipeline, run_data="everything"),
    ]


def scene_no_run():
    pipe = Pipeline(data="run").add(constant("a", 1))
    return [raised(pipe.execute), raised(pipe.with_context(proposal=1).execute),
            raised(pipe.with_context(proposal=1, run_number=2).execute)[0]]


def scene_opening():
    import extra_data

    def opens(has_proc):
        asked = []

        def open_run(proposal, run, data="raw"):
            asked.append([proposal, run, data])
            if data == "proc" and not has_proc:
                raise FileNotFoundError("no proc")
            return f"{data} of {run}"

        extra_data.open_run = open_run
        return asked

    raw, proc = named(lambda run: run, "raw"), named(lambda run: run, "proc", data="proc")
    found = []
    for variables, has_proc, run_data in [((raw,), False, None), ((raw, proc), True, None), ((raw, proc), False, "proc"), ((raw,), True, "raw")]:
        asked = opens(has_proc)
        results = Pipeline(1, 2, run_data=run_data).add(variables).execute()
        found.append([asked, results])
    extra_data.open_run = lambda proposal, run, data: 1 / 0
    return [found, raised(Pipeline(1, 2).add(raw).execute)]


def scene_empty():
    return [Pipeline().vars, Pipeline(1, 2, data="run").execute()]


FILE = """
from damnit_ctx import Variable
@Variable(title="One")
def one(run): return run
@Variable
def two(run, x: "var#one"): return x + "!"
"""


def scene_code():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "context.py"
        path.write_text(FILE)
        pipes = [Pipeline.from_str(FILE), Pipeline.from_str(FILE, name="n"), Pipeline.from_context_file(path),
                 Pipeline.from_context_file(path, name="n")]
    return [[pipe, pipe.name, pipe.with_context(proposal=1, run_number=2, data="run").execute()] for pipe in pipes]


def scene_code_that_is_wrong():
    wrong = ["1 / 0", "def", "from damnit_ctx import Variable\n@Variable\ndef f(run, x: 'var#g'): pass", "import no_such_module_at_all"]
    return [raised(Pipeline.from_str, code) for code in wrong] + [raised(Pipeline.from_context_file, "/no/such/file.py")]


USES_DEFAULT = FILE + """
from damnit_ctx import Pipeline
@Variable
def three(run): return 3
extra = [three]
del three
"""


def of_file(end):
    return raised(lambda: Pipeline.from_str(USES_DEFAULT + end).with_context(proposal=1, run_number=2, data="run").execute())


def scene_default_pipelines():
    return {
        "untouched": of_file(""),
        "more": of_file("Pipeline.default().add(extra)"),
        "looked at": of_file("Pipeline.default()"),
        "same": of_file("Pipeline.default().add(one)"),
        "another by a name that is taken": of_file(
            "Pipeline.default().add(extra)\n@Variable\ndef three(run): return 4"),
        "alone": of_file("Pipeline.set_default(Pipeline(5, 6, param_values={'x': 1}).add(extra))"),
        "alone and empty": of_file("Pipeline.set_default(Pipeline())"),
        "set, then added to": of_file("Pipeline.set_default(Pipeline().add(one)); Pipeline.default().add(extra)"),
        "the last that is set": of_file("Pipeline.set_default(Pipeline()); Pipeline.set_default(Pipeline().add(extra))"),
        "selected": of_file("Pipeline.set_default(Pipeline().add(one, two, extra).select(variables=['two']))"),
        "no pipeline": of_file("Pipeline.set_default([one])"),
        "one file in another": of_file("Pipeline.from_str('from damnit_ctx import Pipeline; Pipeline.set_default(Pipeline())')"),
        "same object": Pipeline.default() is Pipeline.default(),
    }


def scene_a_pipeline_within_a_variable():
    inner = constant("a", 1)

    def outer(run, number: "meta#run_number"):
        results = Pipeline(9, number + 1, data=run).add(inner).execute()
        return results.cells["a"].data

    return Pipeline(1, 2, data="run").add(Variable(outer)).execute()


@Group(tags="detector")
class Detector:
    value: int = 1
    other: object = None

    @Variable(title="Mean")
    def mean(self, run):
        return self.value

    @Variable
    def double(self, run, mean: "self#mean"):
        return mean * 2

    @Variable
    def linked(self, run, mean: "self#other.mean"):
        return mean


def scene_groups():
    pipe = Pipeline(1, 2, data="run").add(
        Detector(name="a"), {"b": Detector(value=2)}, [Detector(name="c", title="C", value=3)], constant("x", 1))
    return [
        pipe.execute(), pipe.select(variables=["a.double"]), pipe.select(match=["b/"]), pipe.vars_to_dict(),
        pipe.add(constant("y", 1)).execute(),
    ]


def scene_linked_groups():
    return [
        Pipeline(1, 2, data="run").add(Detector(name="a", other=Detector(name="b", value=9))).execute(),
        Pipeline(1, 2, data="run").add({"a": Detector(other=Detector(value=9))}).execute(),
    ]


def scene_groups_that_cannot_be_added():
    one = Detector(name="one")
    cases = [
        (Detector(),), (Detector(name="a"), Detector(name="a")), (one, one), ({"x": Detector()}, {"x": Detector()}),
        (Detector(name=""),), (one.mean,), (Detector,), ({"z": [Detector()]},), ({1: Detector()},), ({"a": {"b": Detector()}},),
    ]
    return [raised(Pipeline().add, *case) for case in cases] + [
        raised(Pipeline().add(one).add, one), raised(Pipeline().add(constant("k", 1)).add, {"k": Detector()}),
    ]


def scene_union_of_groups():
    one = Pipeline(1, 2, data="run").add(Detector(name="a"))
    other = Pipeline(1, 2, data="run").add(Detector(name="a", value=5))
    return [raised(one.union, other)[0], one.union(other, on_conflict="right").execute(), one.union(one)]


GROUPS = """
from damnit_ctx import Group, Variable, Pipeline
@Group
class G:
    value: int = 1
    @Variable
    def it(self, run): return self.value
g = G()
h = G(value=2)
@Variable
def plain(run, x: "var#g.it"): return x
"""


def scene_groups_of_files_with_default_pipelines():
    ends = [
        "", "Pipeline.default()", "Pipeline.default().add(g)", "Pipeline.default().add(G(name='other'))", "g2 = g",
        "Pipeline.set_default(Pipeline().add({'g': g}))", "Pipeline.set_default(Pipeline().add({'g': g}, plain))",
        "Pipeline.default().add({'q': h})", "x = Pipeline().add({'q': g})", "Pipeline.default().add({'q': G()})",
        "Pipeline.default().add(*[G(name=f'n{i}', value=i) for i in range(3)])", "g2 = g; Pipeline.default()",
    ]
    run = {"proposal": 1, "run_number": 2, "data": "run"}
    return {end: raised(lambda: Pipeline.from_str(GROUPS + end).with_context(**run).execute()) for end in ends}


if __name__ == "__main__":
    print(json.dumps({name: raised(scene) for name, scene in scenes().items()}))
