"""One context file for both: the package `damnit` and ours must say the same of it."""
from damnit_ctx import Variable, Cell, Skip
import numpy as np
import xarray as xr


@Variable(transient=True)
def broken(run):
    return 1 / 0


@Variable
def skipped(run):
    raise Skip("why")


@Variable
def multi(run):
    raise ValueError("first\nsecond\n  third")


@Variable
def silent(run):
    raise KeyError


@Variable
def nothing(run):
    return None


@Variable
def needs_all(run, a: "var#broken", b: "var#skipped", c: "var#multi", d: "var#silent", e: "var#nothing"):
    return 1


@Variable
def needs_skips(run, a: "var#skipped"):
    return 1


@Variable
def needs_chain(run, a: "var#needs_all", b: "var#needs_skips", c: "var#multi"):
    return 1


@Variable
def deeper(run, a: "var#needs_chain", b: "var#silent"):
    return 1


@Variable
def needs_nothing(run, a: "var#nothing", b: "var#nothing"):
    return 1


@Variable
def default_used(run, a: "var#broken" = 5):
    return a


@Variable
def no_parameter(run, a: "param#unknown"):
    return 1


@Variable
def after_no_parameter(run, a: "var#no_parameter"):
    return 1


@Variable
def parameter(run, a: "param#known", b: "param#unknown" = 2):
    return a + b


@Variable
def numbers(run, run_number: "meta#run_number", proposal: "meta#proposal", path: "meta#proposal_path"):
    return f"{run_number} {proposal} {path!r}"


@Variable
def s_one(run):
    return 1


@Variable
def S_two(run):
    return 2


@Variable
def globbed(run, all_s: "var#s_*"):
    return " ".join(sorted(all_s))


@Variable
def glob_failed(run, none: "var#brok*"):
    return 1


@Variable
def glob_with_start(run, some: "var#s*", one: "var#[s]_one"):
    return f"{sorted(some)} {isinstance(some['start_time'], float)} {type(one).__name__}"


@Variable
def type_seen(run, one: "var#s_one", text: "var#numbers"):
    return f"{type(one).__name__} {type(text).__name__}"


@Variable
def unknown_path(run, x: "weather"):
    return 1


@Variable
def unknown_meta(run, x: "meta#weather"):
    return 1


@Variable(units="mm")
def own_units(run):
    return Cell(3.5, units="keV")


@Variable(units="mm")
def array_units(run):
    return xr.DataArray([1.0, 2.0], attrs={"units": "s"})


@Variable(units="mm", summary="nanmax")
def declared_units(run):
    return np.float32([1, 5, np.nan])


@Variable(summary="no_such_function")
def bad_summary(run):
    return np.arange(300)


@Variable(summary="mean")
def text_summary(run):
    return "text"


@Variable
def empty(run):
    return []


@Variable
def number(run):
    return 7


@Variable
def half(run):
    return np.float16(0.5)


@Variable
def truth(run):
    return True


@Variable
def imaginary(run):
    return 1 + 2j


@Variable
def picture(run):
    return np.arange(12.0).reshape(3, 4)


@Variable
def volume(run):
    return np.zeros((2, 3, 4), dtype=np.uint16)


@Variable
def volume_of_dataarray(run):
    return xr.DataArray(np.zeros((2, 3, 4)))


@Variable
def dataset(run):
    return xr.Dataset({"a": ("x", np.zeros(1000))})


@Variable
def previewed(run):
    return Cell(np.zeros((2, 3, 4)), preview=np.arange(5))


@Variable
def only_summary(run):
    return Cell(None, summary_value="short")


@Variable
def small_array(run):
    return Cell(np.zeros(500), summary_value=[1, 2, 3])


@Variable
def bad_colour(run):
    return Cell(1, background="red")


@Variable
def bad_preview(run):
    return Cell(1, preview=np.zeros((2, 2, 2)))


@Variable
def bad_preview_type(run):
    return Cell(1, preview="text")


@Variable
def bad_units(run):
    return Cell(1, units=3)


@Variable
def ragged(run):
    return [[1], [1, 2]]


@Variable
def axes(run):
    from matplotlib.figure import Figure
    return Figure().add_subplot()


@Variable(transient=True)
def axes_as_they_are(run):
    from matplotlib.figure import Figure
    return Figure().add_subplot()


@Variable(transient=True)
def list_in_a_cell(run):
    return Cell([1, 2])


@Variable
def as_others_get_it(run, a: "var#axes", b: "var#axes_as_they_are", c: "var#list_in_a_cell", d: "var#array_units",
                     e: "var#empty", f: "var#numbers", g: "var#truth", h: "var#dataset", i: "var#imaginary"):
    return " ".join(type(each).__name__ for each in (a, b, c, d, e, f, g, h, i)) + f" {g.shape} {e.dtype}"


@Variable
def glob_in_any_case(run, lower: "var#s_*", upper: "var#S_*", either: "var#[sS]_*", one: "var#s_on[e]"):
    return f"{list(lower)} {list(upper)} {sorted(either)} {type(one).__name__}"


@Variable
def glob_of_what_has_no_value(run, none: "var#noth*" = "default"):
    return none


@Variable
def glob_of_some_that_failed(run, some: "var#[bs]*_u*"):
    return " ".join(sorted(some))
