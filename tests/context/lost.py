"""Results that DAMNIT can store nothing of the run with."""
import numpy as np
import pandas as pd
import xarray as xr
from damnit_ctx import Variable


@Variable
def durations(run):
    return xr.DataArray(np.array([1, 2, 3], "timedelta64[s]").astype("timedelta64[ns]"), dims="i")


@Variable
def levels(run):
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["letter", "number"])
    return xr.DataArray(np.arange(4), dims="i", coords=xr.Coordinates.from_pandas_multiindex(index, "i"))


@Variable
def truth_as_attribute(run):
    return xr.DataArray([1, 2], dims="x", attrs={"good": True})


@Variable
def slash_in_a_dimension(run):
    return xr.DataArray([1, 2], dims="a/b")


@Variable
def text_of_numpy(run):
    return np.str_("schön")


@Variable
def text_with_nul(run):
    return "a\0b"


@Variable
def others(run):
    return 42


@Variable
def mixed_frame(run):
    return pd.DataFrame({"a": [1, "x"]})


@Variable
def named_with_a_number(run):
    return xr.DataArray([1, 2], dims="x", name=5)
