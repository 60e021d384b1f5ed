"""All of the language that needs NumPy alone, for every Python that users have."""
import dataclasses
import multiprocessing
import os
import sys
from typing import Any, ClassVar

import numpy as np
import damnit.context
from damnit_ctx import Cell, Group, GroupError, Pipeline, RunData, Skip, Variable

assert damnit.context.Variable is Variable and RunData("raw") is RunData.RAW


def doubled(x):
    return 2 * x


@Variable
def bare(run):
    """Documented

    in two lines."""
    return np.arange(4.0)


@Variable(title="Sum", tags=["b", "a"], units="mm", summary="sum", description="Given")
def total(run, data: "var#bare", factor: "param#factor", absent: "param#absent" = 2):
    return data * factor * absent


@Variable(transient=True, cluster=True)
def handle(run):
    return {"any": "object"}


@Variable
def handled(run, thing: "var#handle", number: "meta#run_number", proposal: "meta#proposal", path: "meta#proposal_path"):
    return f"{thing['any']} {number} {proposal} {path!r}"


@Variable
def coloured(run):
    return Cell("text", summary_value="short", bold=True, background="#ff8000", preview=np.ones((2, 2)))


@Variable
def skipped(run):
    raise Skip("not today")


@Variable
def broken(run):
    return np.zeros(3)[5]


@Variable
def nothing(run):
    return None


@Variable
def after(run, a: "var#broken", b: "var#skipped", c: "var#nothing"):
    return 1


@Variable
def after_skips(run, a: "var#skipped"):
    return 1


@Variable
def spared(run, a: "var#broken" = "default"):
    return a


@Variable
def matched(run, several: "var#[bt][ao]*"):
    return " ".join(sorted(several))


@Variable
def unstorable(run):
    return object()


@Variable
def kind(run, kind: "mymdc#run_type"):
    return kind


@Variable
def sample(run, sample: "mymdc#sample_name" = "water"):
    return sample


@Variable
def pooled(run):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return str(pool.map(doubled, [1, 2]))


@Variable
def place(run):
    return f"{__name__} {os.path.basename(__file__)} {len(sys.stdin.read())}"


@Group(tags="detector")
class Detector:
    shared: ClassVar[int] = 100
    gain: float
    source: Any = None
    history: list = dataclasses.field(default_factory=list)
    scale: dataclasses.InitVar[int] = 2
    made: int = dataclasses.field(init=False, default=1)

    def __post_init__(self, scale):
        self.history.append(scale)

    @Variable(title="Energy")
    def energy(self, run):
        """How much."""
        return float(self.gain * self.shared * self.history[0])

    @Variable
    def scaled(self, run, e: "self#energy", s: "self#source"):
        return float(e * s)


@Group
class Image(Detector):
    threshold: int
    detector: Detector = None

    @Variable
    def ratio(self, run, own: "self#energy", other: "self#detector.energy"):
        return float(own / other)

    @Variable
    def all_of_it(self, run, found: "self#detector.*", d: "self#detector.source" = "no source"):
        return f"{sorted(found)} {d}"


one = Detector(gain=1.5)
two = Image(gain=3, threshold=5, detector=Detector(gain=1, scale=5), title="Number two", sep=": ", tags=None)
three = Image(gain=1, threshold=5)
assert repr(Detector(gain=2, name="x")) == (
    "Detector(gain=2, source=None, history=[2], made=1, name='x', title='x', tags=('detector',), sep='/')"
), repr(Detector(gain=2, name="x"))
assert Detector(gain=2, name="x") == Detector(gain=2, name="x") != Detector(gain=3, name="x")


def refused(make):
    try:
        make()
    except (TypeError, GroupError) as error:
        return type(error).__name__
    return "accepted"


def reserved():
    @Group
    class Wrong:
        name: str


@Variable
def refusals(run):
    wrong = (lambda: Detector(), lambda: Detector(1), lambda: Detector(gain=1, colour=2),
             lambda: Detector(gain=1, made=2), reserved)
    return " ".join(refused(make) for make in wrong)


@Variable
def piped(run, number: "meta#run_number"):
    pipe = Pipeline(1234, number + 1, data=run, param_values={"factor": 2}).add(bare, {"total": total})
    results = pipe.select(variables="total").execute()
    try:
        pipe.select(variables="total").add(piped).union(pipe).add(Variable(lambda run: 1))
    except RuntimeError as error:
        return f"{results.cells['total'].data.tolist()} {results.cells['total'].units} {type(error).__name__}"
