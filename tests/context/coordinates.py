"""xarray's coordinates, encodings and names, and pandas' indices."""
import numpy as np
import pandas as pd
import xarray as xr
from damnit_ctx import Variable


@Variable
def stacked(run):
    return xr.DataArray(np.arange(6).reshape(2, 3), dims=("x", "y")).stack(z=("x", "y")).reset_index("z")


@Variable
def scalar_coordinates(run):
    when = np.datetime64("2026-01-01", "ns")
    return xr.DataArray([1.0], dims="x", coords={"t0": when, "name": "schön", "flag": True})


@Variable
def gap_in_a_coordinate(run):
    return xr.DataArray(np.arange(4.0), dims="x", coords={"x": [1.0, np.nan, 0.5, 2]})


@Variable
def unsorted_times(run):
    days = np.array(["2026-01-03", "2026-01-01", "2026-01-02"], "M8[ns]")
    return xr.DataArray(np.arange(3.0), dims="t", coords={"t": days})


@Variable
def twice_the_same(run):
    return xr.DataArray(np.arange(4.0), dims="x", coords={"x": [1, 1, 2, 2]})


@Variable
def two_named_axes(run):
    return xr.DataArray(np.zeros((2, 2)), dims=("a", "b"), coords={"a": ["x", "y"], "b": ["é", "z"]})


@Variable
def own_fill_value(run):
    values = xr.DataArray(np.array([1, np.nan], "f4"), dims="x")
    values.encoding = {"_FillValue": np.float32(-9), "zlib": True, "complevel": 9, "chunksizes": (1,)}
    return values


@Variable
def fill_value_as_attribute(run):
    return xr.DataArray(np.array([1, 2], "i4"), dims="x", attrs={"_FillValue": np.int32(-9)})


@Variable
def times_in_hours(run):
    values = xr.DataArray(np.array(["2026-01-03", "2026-01-01"], "M8[ns]"), dims="x")
    values.encoding = {"units": "hours since 2000-01-01", "dtype": "f8"}
    return values


@Variable
def times_to_the_second(run):
    days = np.array(["2026-01-03", "2026-01-01"], "M8[s]")
    return xr.DataArray(days, dims="x", coords={"x": np.array([1, 2], "M8[us]")})


@Variable
def labelled_bytes(run):
    return xr.DataArray(np.array([b"ab", b"c"]), dims="x")


@Variable
def largest_unsigned(run):
    return xr.DataArray(np.array([2**64-1, 0], "u8"), dims="x")


@Variable
def half_big_endian(run):
    return xr.DataArray(np.array([1, 2], ">f2"), dims="x")


@Variable
def names_of_all_kinds(run):
    return xr.Dataset({"größe": ("x", [1.0]), "with space": 2}, coords={"x": ["a"]})


@Variable
def units_in_a_dataset(run):
    return xr.Dataset({"a": ("x", [1.0], {"units": "mm", "coordinates_note": "n"})}, coords={"y": ("x", [1.0])})


@Variable
def gaps_of_pandas(run):
    columns = {"a": pd.array([1, None], dtype="Int64"), "t": pd.to_datetime(["2026-01-01", None], utc=True)}
    return pd.DataFrame(columns, index=pd.Index([3, 4]))


@Variable
def series_of_days(run):
    return pd.Series([1, 2], index=pd.date_range("2026", periods=2), name="n")


@Variable
def series_of_truths(run):
    return pd.Series([True, False])


@Variable
def series_of_gaps(run):
    return pd.Series([np.nan, np.nan])
