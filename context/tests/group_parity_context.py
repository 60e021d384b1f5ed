"""Groups in all their forms, for both: the package `damnit` and ours must say the same of them."""
import functools
from dataclasses import dataclass, field
from typing import Any, Optional

from damnit_ctx import Cell, Group, Skip, Variable


@Variable(title="Plain one", data="proc")
def plain(run):
    return 2


@Variable
def fails(run):
    raise ValueError("two\nlines")


class Mixin:
    """No group itself."""

    tags = ("not mine",)

    @Variable(title="Mixed in")
    def mixed(self, run, number: "meta#run_number", known: "param#known"):
        return f"{self.name} {number} {known}"


@Group(tags=["detector", "a"])
class Detector(Mixin):
    """A detector."""

    gain: float = 1.5
    source: Any = None
    dark: Optional[object] = None

    @Variable(tags="z", units="eV", summary="max")
    def energy(self, run):
        """Counted energy.

        In eV."""
        return self.gain * 2

    @Variable(title="With source", cluster=True)
    def with_source(self, run, e: "self#energy", s: "self#source"):
        return Cell(float(e * s), bold=True)

    @Variable(description="Given")
    def defaulted(self, run, d: "self#dark.energy" = -1, absent: "param#absent" = 7):
        return float(d) + absent

    @Variable(transient=True)
    def handle(self, run):
        return {self.name: self.title}

    @Variable
    def handled(self, run, h: "self#handle"):
        return str(h)

    @Variable
    def strict(self, run, d: "self#dark.energy"):
        return d


@Group
class Fancy(Detector):
    extra: int

    def __post_init__(self):
        self.gain = self.gain * 100

    @Variable(title="Fancy energy", tags=())
    def energy(self, run):
        return self.gain + self.extra

    @Variable
    def skipped(self, run, s: "self#strict"):
        return s


@Group(tags="own")
class Pair(Fancy):
    left: Detector
    right: Detector
    several: list = field(default_factory=list)

    @Variable
    def asymmetry(self, run, l: "self#left.energy", r: "self#right.energy"):
        return float(l - r)

    @Variable
    def energies(self, run, all_e: "self#right.en*", deep: "self#left.*" = None):
        return " ".join([*sorted(all_e), *sorted(deep)])

    @Variable
    def of_failed(self, run, f: "self#left.source_result"):
        return f


class Undecorated(Detector):
    @Variable
    def more(self, run, e: "self#energy", p: "var#plain"):
        return float(e + p)


@dataclass
class Settings:
    threshold: float = 0.5


@Group
class Configured(Settings):
    @Variable
    def over(self, run, e: "var#one.energy", other: "self#unlinked" = 3):
        return bool(e > self.threshold)

    unlinked: Any = None


@Group
class Uses:
    variable: Any
    value: int = 0

    @Variable
    def result(self, run, v: "self#variable"):
        return float(v + self.value)

    @Variable
    def with_default(self, run, v: "self#variable" = 99):
        return float(v)


def doubled(function):
    @functools.wraps(function)
    def inner(*given, **named):
        return 2 * function(*given, **named)
    return inner


@Group
class Outer:
    inner: Any = None
    second: Any = None

    @property
    def alias(self):
        return getattr(self.inner, "second", None)

    @Variable
    @doubled
    def decorated(self, run, *, e: "self#alias.energy" = 5, x: "var#plain"):
        """Twice."""
        return float(e + x)

    @Variable
    @staticmethod
    def of_class(run, e: "self#decorated"):
        return float(e)

    @Variable
    def without_run(self):
        return 1


class Both(Detector):
    source_result = Detector.strict


one = Detector()
two = Detector(gain=3, source=plain, dark=one, title="Number two", sep=" | ", tags="instance")
fancy = Fancy(extra=5, name="renamed", tags=None)
pair = Pair(left=Both(source=fails), right=two, extra=1)
undecorated = Undecorated(tags=["x", "x"])
_hidden = Configured(threshold=2)
uses_variable = Uses(variable=plain, value=1)
uses_link = Uses(variable=one.energy)
uses_failed = Uses(variable=fails)
uses_nothing = Uses(variable=None)
link_kept = one.energy
nested = Outer(inner=Outer(inner=Uses(variable=two.energy, sep="~"), second=one), second=Outer(name="given.deep"))
listed = [Detector(), Detector()]
