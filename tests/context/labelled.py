"""xarray's objects, with coordinates of all kinds."""
import numpy as np
import xarray as xr
from damnit_ctx import Cell, Variable


@Variable(title="Labelled")
def labelled(run):
    return xr.DataArray(
        np.arange(12.0).reshape(3, 4), dims=("time", "pixel"),
        coords={"time": np.array([0, 60, 120], "datetime64[s]").astype("datetime64[ns]"),
                "name": ("pixel", ["a", "b", "c", "schön"]), "good": ("pixel", [True, False, True, True]),
                "scalar": 7},
        attrs={"units": "counts", "long_name": "Counts"}, name="counts")


@Variable(title="Nameless")
def nameless(run):
    return xr.DataArray([1.0, np.nan, 3.0], dims="x", coords={"x": [0.5, 1.5, 2.5]})


@Variable(title="Empty")
def no_values(run):
    return xr.DataArray(np.zeros((0, 2)), dims=("none", "two"))


@Variable
def of_time(run):
    seconds = np.arange(500) * 100
    start = np.datetime64("2026-01-01T12:00:00", "ns")
    return xr.DataArray(np.cos(seconds / 5000), dims="t", coords={"t": start + seconds.astype("timedelta64[ms]")})


@Variable
def unsorted(run):
    x = np.random.default_rng(3).permutation(400) / 10
    return xr.DataArray(x ** 2, dims="x", coords={"x": x}, attrs={"units": "mm²"})


@Variable
def by_name(run):
    return xr.DataArray(np.arange(3, dtype="f4"), dims="sample", coords={"sample": ["c", "a", "b"]})


@Variable
def dates(run):
    return xr.DataArray(np.array(["2026-01-01", "NaT"], "datetime64[ns]"), dims="i", name="when")


@Variable
def words(run):
    return xr.DataArray(["a", "schön"], dims="i", name="words")


@Variable
def flags(run):
    return xr.DataArray([[True, False], [False, True]], dims=("a", "b"))


@Variable
def waves(run):
    return xr.DataArray([1 + 2j, 3 - 4j], dims="i", coords={"i": [1, 2]})


@Variable
def single(run):
    return xr.DataArray(3, coords={"at": 2.5}, attrs={"units": "K", "limits": [1.0, 2.0], "n": np.int16(4)})


@Variable
def half_floats(run):
    return xr.DataArray(np.linspace(0, 1, 5, dtype="f2"), dims="x")


@Variable
def other_order(run):
    return xr.DataArray(np.arange(4, dtype=">i4"), dims="x", coords={"x": np.arange(4, dtype=">f8")})


@Variable
def named_like_its_coordinate(run):
    return xr.DataArray([1, 2], dims="x", coords={"x": [3, 4]}, name="x")


@Variable
def slash_in_the_name(run):
    return xr.DataArray([1, 2], dims="x", name="a/b")


@Variable
def two_dimensional_coordinate(run):
    lon, lat = np.meshgrid([10.0, 11.0, 12.0], [50.0, 51.0])
    return xr.DataArray(lon * lat, dims=("y", "x"), coords={"lon": (("y", "x"), lon), "lat": (("y", "x"), lat)})


@Variable
def upwards(run):
    return xr.DataArray(np.arange(5000.0).reshape(50, 100), dims=("y", "x"), coords={"y": np.arange(50) * 2.0})


@Variable
def packed(run):
    values = xr.DataArray(np.linspace(0, 10, 20), dims="x", name="packed")
    values.encoding = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -1}
    return values


@Variable
def large_volume(run):
    return xr.DataArray(np.arange(600_000, dtype="f4").reshape(60, 100, 100), dims=("train", "y", "x"))


@Variable(title="Dataset")
def gathered(run):
    return xr.Dataset({"a": ("x", [1, 2, 3]), "b": (("y", "x"), np.ones((2, 3), dtype="f4"))},
                      coords={"x": [10, 20, 30]}, attrs={"title": "both"})


@Variable
def mixed_dataset(run):
    return xr.Dataset(
        {"when": ("t", np.array(["2026-01-01T00:00:01", "2026-01-01T00:00:03"], "datetime64[ns]")),
         "what": ("t", ["é", "b"]), "ok": ("t", [True, False]), "total": 5, "nothing": ("z", np.zeros(0))},
        coords={"t": [0.5, 1.5], "run": "seven"})


@Variable
def empty_dataset(run):
    return xr.Dataset(attrs={"why": "nothing to see"})


@Variable
def large_dataset(run):
    return xr.Dataset({"image": (("y", "x"), np.ones((1000, 1000)))})


@Variable(title="Preview", tags="done")
def preview(run):
    return Cell("see the preview", preview=xr.DataArray([1.0, 2.0], dims="p", coords={"p": [3, 4]}))


@Variable(summary="max")
def strongest(run):
    return xr.DataArray([1.0, 5.0, 2.0], dims="x", attrs={"units": "eV"})
