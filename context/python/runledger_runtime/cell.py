"""`Cell`: a result with what the table shows of it."""
import re
from collections.abc import Sequence

import numpy as np

from . import is_loaded_instance
from .arrays import is_number, is_storable

_FIGURES = (("matplotlib.figure", "Figure"), ("plotly.graph_objs", "Figure"))
_KEPT_AS_THEY_ARE = _FIGURES + (
    ("xarray", "DataArray"), ("xarray", "Dataset"), ("pandas", "Series"), ("pandas", "DataFrame"),
)


class Cell:
    """The main `data` of a variable, and how the table presents it.

    `summary` names a NumPy function, `summary_value` is shown as it is. `background` is "#rrggbb" or
    three numbers up to 255. `preview` (a 1-D or 2-D array, or a figure) opens on a double click.
    """

    def __init__(self, data, summary=None, summary_value=None, bold=None, background=None,
                 *, preview=None, units=None):
        self.data = _storable(data)
        self.summary = summary
        self.summary_value = _short_value(summary_value)
        self.bold = bold
        self.background = _colour(background)
        self.preview = _previewable(preview)
        self.units = _units(units, self.data)


def is_figure(value):
    return _is_any(value, _FIGURES)


def _is_any(value, kinds):
    return any(is_loaded_instance(value, module, name) for module, name in kinds)


def _whole_figure(value):
    is_axes = is_loaded_instance(value, "matplotlib.axes", "Axes")
    return value.get_figure() if is_axes else value


def _storable(returned):
    data = _whole_figure(returned)
    if data is None or isinstance(data, str) or _is_any(data, _KEPT_AS_THEY_ARE):
        return data
    array = np.asarray(data)
    if not is_storable(array.dtype):
        native = "" if array.dtype.hasobject else f" whose native array type {array.dtype}"
        raise TypeError(f"Returned data type {type(returned)}{native} cannot be saved")
    return array


def _short_value(value):
    if value is None or isinstance(value, str):
        return value
    array = np.asarray(value)
    if not is_storable(array.dtype):
        raise TypeError(f"summary_value should be number or string, not {type(value)}")
    return array


def _previewable(preview):
    preview = _whole_figure(preview)
    if preview is None or is_figure(preview):
        return preview
    if not (isinstance(preview, np.ndarray) or is_loaded_instance(preview, "xarray", "DataArray")):
        raise TypeError(f"preview must be an array or a figure object (got {type(preview)})")
    if preview.ndim not in (1, 2):
        raise TypeError(f"preview should be a 1D or 2D array (shape is {preview.shape})")
    if not is_number(preview.dtype):
        raise TypeError("preview array should be numeric")
    return preview


def _units(units, data):
    if units is None and is_loaded_instance(data, "xarray", "DataArray"):
        own = data.attrs.get("units")
        return own if isinstance(own, str) else None
    if not (units is None or isinstance(units, str)):
        raise TypeError(f"units should be a string, not {type(units)}")
    return units


def _colour(colour):
    if colour is None:
        return None
    if isinstance(colour, str):
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", colour):
            raise ValueError("Colour string should be hex code (like '#ffcc00')")
        return np.frombuffer(bytes.fromhex(colour[1:]), dtype=np.uint8)
    if not isinstance(colour, (Sequence, np.ndarray)):
        raise TypeError(f"Don't understand colour as {type(colour)}")
    if len(colour) != 3:
        raise TypeError(f"Wrong number of values ({len(colour)}) for R,G,B")
    if not all(0 <= part <= 255 for part in colour):
        raise ValueError("Colour values must be 0 - 255")
    return np.array(colour, dtype=np.uint8)
