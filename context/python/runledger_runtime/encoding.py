"""Turns a cell into a message: JSON that describes it, and the buffers that it refers to."""
import numpy as np

from . import figures, is_loaded_instance, netcdf, summary
from .arrays import checked_text, describe_dtype, is_number, is_storable, is_text, text_list, texts_as_json
from .cell import is_figure
from .channel import Buffers


def encode_cell(cell, variable):
    """(The description, its buffers) of a cell; the description is None for a cell without anything."""
    buffers = Buffers()
    method = variable.summary if cell.summary is None else cell.summary
    units = variable.units if cell.units is None else cell.units
    described = {
        "data": encode_data(cell.data, buffers),
        "preview": encode_data(cell.preview, buffers),
        "summary": summary.encode(cell, method, variable.name, buffers),
    }
    if all(part is None for part in described.values()):
        return None, None
    described.update(
        summary_method=None if method is None else str(method),
        spread_of=_spread_of(cell.data, buffers),
        units=None if units is None else checked_text(units),
        bold=None if cell.bold is None else bool(cell.bold),
        background=None if cell.background is None else [int(part) for part in cell.background],
    )
    return described, buffers


def encode_array(array, buffers):
    """An array of numbers, bytes or structures."""
    array = np.asarray(array)
    if not is_storable(array.dtype):
        raise TypeError(f"an array of {array.dtype} cannot be saved")
    return {
        "dtype": describe_dtype(array.dtype),
        "shape": list(array.shape),
        "buffer": buffers.add_array(array),
    }


def encode_values(array, buffers):
    """An array of any storable elements; texts go as JSON."""
    array = np.asarray(array)
    if not is_text(array.dtype):
        return dict(encode_array(array, buffers), kind="array")
    content = texts_as_json(text_list(array))
    return {"kind": "texts", "shape": list(array.shape), "buffer": buffers.add(content)}


def encode_text(text, buffers):
    return {"kind": "text", "buffer": buffers.add(checked_text(text).encode("utf-8"))}


def encode_data(data, buffers):
    """A result or preview, whatever it is."""
    if data is None:
        return None
    if isinstance(data, str):
        return encode_text(data, buffers)
    if netcdf.is_xarray(data):
        return netcdf.encode(data, buffers, encode_values)
    if is_figure(data) or figures.is_frame(data):
        return _encode_foreign(data, buffers)
    return encode_values(data, buffers)


def _encode_foreign(data, buffers):
    if figures.is_matplotlib(data):
        return {"kind": "image", "array": encode_array(buffers.once(figures.pixels, data), buffers)}
    objtype, content = figures.plotly_json(data) if is_figure(data) else figures.parquet(data)
    return {"kind": "encoded", "objtype": objtype, "buffer": buffers.add(content)}


def _spread_of(data, buffers):
    """The numbers whose largest and smallest are compared with those of other runs."""
    if is_loaded_instance(data, "pandas", "Series"):
        data = data.to_numpy()
    elif is_loaded_instance(data, "xarray", "DataArray"):
        data = data.values
    if isinstance(data, np.ndarray) and data.size > 1 and is_number(data.dtype):
        return encode_array(data, buffers)
    return None
