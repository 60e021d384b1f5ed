"""What is returned seldom, and perhaps by mistake."""
import datetime
import decimal
import enum

import numpy as np
import pandas as pd
import xarray as xr
from damnit_ctx import Cell, Skip, Variable


class Colour(enum.IntEnum):
    RED = 3


class OwnError(ValueError):
    """Of this file."""


@Variable
def pair(run):
    return (1, 2.5)


@Variable
def counted(run):
    return range(5)


@Variable
def set_of_numbers(run):
    return {1, 2}


@Variable
def generated(run):
    return (i for i in range(3))


@Variable
def raw_bytes(run):
    return b"abc"


@Variable
def exact(run):
    return decimal.Decimal("1.5")


@Variable
def moment(run):
    return datetime.datetime(2026, 1, 2)


@Variable
def moment_of_numpy(run):
    return np.datetime64("2026-01-02")


@Variable
def moment_of_pandas(run):
    return pd.Timestamp("2026-01-02")


@Variable
def red(run):
    return Colour.RED


@Variable
def too_large(run):
    return 2**64


@Variable
def masked(run):
    return np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False])


@Variable
def columns_first(run):
    return np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))


@Variable
def small_integers(run):
    return np.array([-128, 127], dtype="i1")


@Variable
def only_gaps(run):
    return np.full(5, np.nan)


@Variable
def picture_of_gaps(run):
    return np.full((5, 4), np.nan)


@Variable
def only_infinite(run):
    return np.array([np.inf, -np.inf, np.inf])


@Variable
def two_rows(run):
    return np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@Variable(title='Title: "quotes", dots. ünd / slashes')
def odd_title(run):
    """First line.

    Further – lines,
        indented.
    """
    return 1


@Variable
def own_error(run):
    raise OwnError("mein Fehler", 3)


@Variable
def long_error(run):
    raise RuntimeError("lang " * 20_000)


@Variable
def of_lines(run, first: "var#own_error", second: "var#long_error"):
    return 1


@Variable
def empty_skip(run):
    raise Skip


@Variable
def nested_error(run):
    try:
        raise KeyError("inner")
    except KeyError as e:
        raise OwnError("outer") from e


@Variable
def attribute_error(run):
    return run.no_such_attribute_at_all


@Variable
def recursion(run):
    return recursion.func(run)


@Variable
def asserted(run):
    assert 1 == 2


@Variable
def wrong_arguments(run, more):
    return 1


@Variable
def summary_is_no_number(run):
    return Cell(np.arange(3), summary_value=float("nan"))


@Variable
def summary_is_a_word(run):
    return Cell(np.arange(300), summary_value="schön 東京")


@Variable
def summary_is_a_list(run):
    return Cell(np.arange(300), summary_value=[1.5, 2])


@Variable
def summary_is_labelled(run):
    return Cell(np.arange(300), summary_value=xr.DataArray(4.5))


@Variable
def summary_with_arguments(run):
    return Cell(np.arange(6.0).reshape(2, 3), summary="ptp")


@Variable
def summary_of_rows(run):
    return Cell(np.arange(6.0).reshape(2, 3), summary="transpose")


@Variable
def white(run):
    return Cell(1, background="#FFF")


@Variable
def too_bright(run):
    return Cell(1, background=(1, 2, 256))


@Variable
def two_colours(run):
    return Cell(1, background=[1, 2])


@Variable
def array_of_colour(run):
    return Cell(1, background=np.array([1, 2, 3]))


@Variable
def cell_in_a_cell(run):
    return Cell(Cell(1))


@Variable
def units_are_a_number(run):
    return xr.DataArray([1, 2], dims="x", attrs={"units": 5})


@Variable
def texts_and_none(run):
    return xr.DataArray(np.array(["a", None], dtype=object), dims="i")


@Variable
def columns_of_numbers(run):
    return pd.DataFrame({0: [1, 2], 1: [3, 4]})


@Variable
def empty_frame(run):
    return pd.DataFrame()


@Variable
def categories(run):
    return pd.Series(["a", "b", "a"], dtype="category", name="kinds")


@Variable
def nested_columns(run):
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    return pd.DataFrame([[1, 2], [3, 4]], columns=columns)


@Variable
def slashes_in_a_dataset(run):
    return xr.Dataset({"a/b": ("x", [1, 2]), "c": ("x", [3.0, 4.0])})


@Variable
def odd_dimensions(run):
    values = np.arange(6).reshape(2, 3)
    return xr.DataArray(values, dims=("größe", "a b"), coords={"größe": [1.5, 2.5]}, name="wert [mm]")


@Variable
def turned(run):
    return xr.DataArray(np.arange(12.0).reshape(3, 4), dims=("a", "b"), coords={"b": [4, 3, 2, 1]}).T[::-1]


@Variable
def attributes_of_all_kinds(run):
    return xr.DataArray([1.5], dims="x", coords={"x": ("x", [1], {"long_name": "schön", "n": 3})}, attrs={
        "text": "schön", "texts": ["a", "b"], "float": 1.5, "array": np.arange(3, dtype="i2"), "empty": "",
        "bytes": b"abc", "f4": np.float32(0.5), "list": [1, 2], "tuple": (1.5, 2.5)})


@Variable
def changed_later(run):
    return np.arange(3.0)


@Variable
def changes_it(run, values: "var#changed_later"):
    values += 1
    return values.sum()
