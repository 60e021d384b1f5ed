"""pandas' objects."""
import numpy as np
import pandas as pd
from damnit_ctx import Cell, Variable


@Variable
def series(run):
    return pd.Series(np.linspace(5, 6, 300), index=np.arange(300) * 2, name="strength")


@Variable
def nameless_series(run):
    return pd.Series([3, 1, 2])


@Variable
def series_of_texts(run):
    return pd.Series(["a", "schön"], name="words")


@Variable
def frame(run):
    return pd.DataFrame({"n": [1, 2, 3], "x": [0.5, np.nan, 1.5], "name": ["a", "é", None],
                         "when": pd.to_datetime(["2026-01-01", "2026-01-02", None])})


@Variable
def frame_with_index(run):
    index = pd.Index(["first", "second"], name="which")
    return Cell(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=index), summary="max", units="mm")


@Variable
def large_frame(run):
    return pd.DataFrame({"a": np.arange(100_000), "b": np.arange(100_000) / 7})
