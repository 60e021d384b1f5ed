"""A context file with a variable for every kind of value."""
import numpy as np
import xarray as xr
from damnit_ctx import Cell, Skip, Variable

@Variable(title="Whole")
def whole(run):
    return 42

@Variable(title="Real", units="mJ")
def real(run):
    return np.float32(1.25)

@Variable(title="Yes")
def yes(run):
    return True

@Variable(title="Complex")
def complex_number(run):
    return 3 - 4j

@Variable(title="Text", description="Words", tags=["said", "done"])
def text(run, number: "meta#run_number"):
    return f"run {number}: schön"

@Variable(title="Line", summary="mean")
def line(run):
    return np.linspace(0, 1, 50) ** 2

@Variable(title="Sparkline")
def sparkline(run):
    return np.sin(np.arange(5000) / 100)

@Variable(title="Big endian")
def big_endian(run):
    return np.arange(6, dtype=">i2").reshape(2, 3)

@Variable(title="Half")
def half(run):
    return np.arange(4, dtype=np.float16)

@Variable(title="Picture")
def picture(run):
    return np.arange(600.0).reshape(20, 30)

@Variable(title="Cube")
def cube(run):
    return np.zeros((2, 3, 4), dtype=np.uint16)

@Variable(title="Labelled")
def labelled(run):
    return xr.DataArray(
        np.arange(12.0).reshape(3, 4), dims=("time", "pixel"),
        coords={"time": np.array([0, 60, 120], "datetime64[s]").astype("datetime64[ns]"),
                "name": ("pixel", ["a", "b", "c", "d"]), "good": ("pixel", [True, False, True, True]),
                "scalar": 7},
        attrs={"units": "counts", "long_name": "Counts"}, name="counts")

@Variable(title="Nameless")
def nameless(run):
    return xr.DataArray([1.0, np.nan, 3.0], dims="x", coords={"x": [0.5, 1.5, 2.5]})

@Variable(title="Empty")
def empty(run):
    return xr.DataArray(np.zeros((0, 2)), dims=("none", "two"))

@Variable(title="Dataset")
def dataset(run):
    return xr.Dataset({"a": ("x", [1, 2, 3]), "b": (("y", "x"), np.ones((2, 3), dtype="f4"))},
                      coords={"x": [10, 20, 30]}, attrs={"title": "both"})

@Variable(title="Cell", data="raw")
def cell(run):
    return Cell(np.arange(9.0), summary_value=4.5, units="mm", bold=True, background="#ff8000",
                preview=np.arange(4.0).reshape(2, 2))

@Variable(title="Preview", tags="done")
def preview(run):
    return Cell("see the preview", preview=xr.DataArray([1.0, 2.0], dims="p", coords={"p": [3, 4]}))

@Variable(title="Nothing")
def nothing(run):
    return None

@Variable(title="Skipped")
def skipped(run):
    raise Skip("not today")

@Variable(title="Failed")
def failed(run):
    return 1 / 0

@Variable(title="Dependent")
def dependent(run, a: "var#failed", b: "var#skipped"):
    return a + b

@Variable(title="Kept", transient=True)
def kept(run):
    return object()

@Variable(title="All of them")
def all_of_them(run, some: "var#w*", thing: "var#kept"):
    return sorted(some)[0]
