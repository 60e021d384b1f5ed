"""Evaluated a second time, when there is a file `again`, everything is something else."""
import os

import numpy as np
import xarray as xr
from damnit_ctx import Cell, Skip, Variable

AGAIN = os.path.exists("again")


def labelled(*values, **attributes):
    return xr.DataArray(list(values), dims="x", coords={"x": range(len(values))}, attrs=attributes)


@Variable
def number_then_text(run):
    return "text" if AGAIN else 5


@Variable
def array_then_labelled(run):
    return labelled(1.5, 2.5) if AGAIN else np.arange(6).reshape(2, 3)


@Variable
def labelled_then_number(run):
    return 3.5 if AGAIN else labelled(1, 2, units="mm")


@Variable
def labelled_then_another(run):
    return labelled(7.0, 8.0, 9.0, n=2) if AGAIN else labelled(1, 2, units="mm")


@Variable
def both_times(run):
    return labelled(4.0, 5.0, units="mm")


@Variable
def dataset_then_array(run):
    return np.arange(300) if AGAIN else xr.Dataset({"a": ("x", [1, 2])})


@Variable
def value_then_error(run):
    return 1 / 0 if AGAIN else Cell(np.arange(5), bold=True, units="mm", preview=np.arange(3))


@Variable
def error_then_value(run):
    return Cell(4, units="s") if AGAIN else 1 / 0


@Variable
def error_then_another(run):
    raise Skip("then") if AGAIN else KeyError("first")


@Variable
def value_then_none(run):
    return None if AGAIN else 5


@Variable
def error_then_none(run):
    return None if AGAIN else 1 / 0


@Variable
def none_then_value(run):
    return 5 if AGAIN else None


@Variable
def cell_then_bare(run):
    return 5 if AGAIN else Cell(5, units="mm", bold=True, background="#102030", preview=labelled(1, 2))


@Variable
def summary_then_none(run):
    return Cell(np.zeros((2, 2, 2)), summary="mean") if AGAIN else Cell(np.arange(5), summary_value="short")


@Variable(transient=AGAIN)
def stored_then_transient(run):
    return 5


@Variable(title="Then" if AGAIN else "First", description="Other" if AGAIN else None, tags="late" if AGAIN else ["a", "b"])
def declared_otherwise(run):
    return 1


@Variable(tags=None if AGAIN else "b")
def without_tags(run):
    return 1


if AGAIN:
    @Variable(title="Goes")
    def comes(run):
        return "here"
else:
    @Variable(title="Goes", tags="leaves")
    def goes(run):
        return labelled(1, 2)
