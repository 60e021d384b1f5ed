"""Cells: summaries, units, colours, previews."""
import numpy as np
import xarray as xr
from damnit_ctx import Cell, Variable


@Variable(title="Cell", data="raw")
def cell(run):
    return Cell(np.arange(9.0), summary_value=4.5, units="mm", bold=True, background="#ff8000",
                preview=np.arange(4.0).reshape(2, 2))


@Variable(units="mm", tags=["beam", "schön"])
def other_units(run):
    return Cell(3.5, units="µm", bold=False, background=(1, 2, 255))


@Variable(units="mm")
def units_of_the_array(run):
    return xr.DataArray([1.0, 2.0], dims="x", attrs={"units": "s"})


@Variable
def empty_units(run):
    return Cell(1, units="")


@Variable
def only_a_summary(run):
    return Cell(None, summary_value="short")


@Variable
def empty_cell(run):
    return Cell(None)


@Variable
def summary_is_an_array(run):
    return Cell(np.zeros(500), summary_value=np.array([1, 2, 3], dtype="i4"))


@Variable
def summary_is_a_truth(run):
    return Cell(np.arange(3), summary_value=True)


@Variable
def summary_is_complex(run):
    return Cell(np.arange(3), summary="mean", summary_value=1 + 1j)


@Variable
def summary_of_the_cell(run):
    return Cell(np.array([1, 5, 3], dtype="u1"), summary="max")


@Variable
def line_as_preview(run):
    return Cell(np.zeros((2, 3, 4)), preview=np.sin(np.arange(1000) / 50))


@Variable
def picture_as_preview(run):
    return Cell(5.5, preview=xr.DataArray(np.arange(24.0).reshape(4, 6), dims=("y", "x"), attrs={"units": "V"}))


@Variable
def preview_without_data(run):
    return Cell(None, preview=np.arange(6).reshape(2, 3))


@Variable
def wrong_colour(run):
    return Cell(1, background="red")


@Variable
def wrong_preview(run):
    return Cell(1, preview=np.zeros((2, 2, 2)))


@Variable
def wrong_units(run):
    return Cell(1, units=3)


@Variable
def wrong_bold(run):
    return Cell(1, bold="yes")


@Variable(transient=True)
def kept_cell(run):
    return Cell([1, 2], units="mm")


@Variable
def sum_of_kept(run, kept: "var#kept_cell"):
    return f"{type(kept).__name__} {sum(kept)}"
