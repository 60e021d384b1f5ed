"""Summaries and previews that are asked for, or given."""
import numpy as np
import pandas as pd
import xarray as xr
from damnit_ctx import Cell, Variable


@Variable(summary="std")
def series_summary(run):
    return pd.Series([1.5, 2])


@Variable(summary="mean")
def mean_of_dataset(run):
    return xr.Dataset({"a": ("x", [1, 2])})


@Variable(summary="mean")
def means_of_frame(run):
    return pd.DataFrame({"a": [1, 2], "b": [3, 4]})


@Variable(summary="sum")
def sum_of_truths(run):
    return np.array([True, True])


@Variable(summary="max")
def maximum_of_nothing(run):
    return np.zeros(0)


@Variable(summary="argmax")
def place_of_maximum(run):
    return np.arange(3)


@Variable(summary="percentile")
def lacks_argument(run):
    return np.arange(3)


@Variable(summary="quantile")
def quantile_lacks_argument(run):
    return np.arange(3)


@Variable(summary="ptp")
def spread_of_labelled(run):
    return xr.DataArray([1., 2.])


@Variable(summary="histogram")
def summary_is_a_tuple(run):
    return np.arange(3.0)


@Variable(summary="linalg.norm")
def summary_with_a_dot(run):
    return np.arange(3.0)


@Variable
def summary_is_bytes(run):
    return Cell(1, summary_value=b"abc")


@Variable
def summary_is_a_dict(run):
    return Cell(1, summary_value={"a": 1})


@Variable
def summary_is_a_table(run):
    return Cell(1, summary_value=np.arange(6).reshape(2, 3))


@Variable
def summary_of_a_matrix(run):
    return Cell(1, summary_value=np.array([[1.0, 0.3], [0.3, 2.0]]))


@Variable
def summary_is_a_cube(run):
    return Cell(1, summary_value=np.arange(8).reshape(2, 2, 2))


@Variable
def summary_is_empty(run):
    return Cell(1, summary_value="")


@Variable
def summary_is_single(run):
    return Cell(1, summary_value=np.float32(0.1))


@Variable
def summary_is_infinite(run):
    return Cell(1, summary_value=np.inf)


@Variable
def summary_is_big_endian(run):
    return Cell(1, summary_value=np.arange(3, dtype=">f2"))


@Variable
def summary_is_truths(run):
    return Cell(1, summary_value=np.array([True, False]))


@Variable
def summary_is_complex_array(run):
    return Cell(1, summary_value=np.array([1j, 2]))


@Variable
def rgb_preview(run):
    return Cell(1, preview=np.zeros((4, 5, 3)))


@Variable
def text_preview(run):
    return Cell(1, preview="text")


@Variable
def number_preview(run):
    return Cell(1, preview=5)


@Variable
def list_preview(run):
    return Cell(1, preview=[1, 2, 3])


@Variable
def bool_preview(run):
    return Cell(1, preview=np.array([True, False]))


@Variable
def series_preview(run):
    return Cell(1, preview=pd.Series([1, 2]))


@Variable
def empty_preview(run):
    return Cell(1, preview=np.zeros(0))
