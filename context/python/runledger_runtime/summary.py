"""What the table shows of a cell: found here, drawn by the other side."""
import numpy as np

from . import encoding, failures, figures, is_loaded_instance
from .arrays import is_number, is_storable, is_text
from .cell import is_figure
from .log import log


def encode(cell, method, name, buffers):
    """The summary of a cell; one that fails costs itself only."""
    try:
        return _encode(cell, method, name, buffers)
    except Exception:
        log.error("Failed to make a summary of %s", name, exc_info=True)
        return encoding.encode_text("<summary error>", buffers)


def _encode(cell, method, name, buffers):
    """The first that applies: the given value, the NumPy function's, the data's (or preview's) own."""
    if cell.summary_value is not None:
        return _encode_value(cell.summary_value, buffers)
    if method is not None and cell.data is not None:
        reduced = _reduce(cell.data, method, name)
        if reduced is not None:
            return _encode_value(reduced, buffers)
    shown = cell.data if cell.preview is None else cell.preview
    if is_loaded_instance(shown, "pandas", "Series"):
        shown = shown.to_numpy()
    return _encode_default(shown, cell, name, buffers)


def _reduce(data, method, name):
    """`np.<method>(data)`, or None with a line in the log where that fails."""
    try:
        reduced = np.asarray(getattr(np, method)(data))
        if not is_storable(reduced.dtype):
            raise TypeError(f"the summary is an array of {reduced.dtype}, which cannot be saved")
        return reduced
    except Exception:
        log.error("Failed to produce summary data for %s", name, exc_info=True)
        return None


def _encode_value(value, buffers):
    if isinstance(value, str):
        return encoding.encode_text(value, buffers)
    if not is_text(value.dtype):
        return dict(encoding.encode_array(value, buffers), kind="array")
    return encoding.encode_text(value.item() if value.ndim == 0 else _shape_text(value), buffers)


def _encode_default(shown, cell, name, buffers):
    if shown is None:
        return None
    if is_figure(shown):
        return _encode_figure(shown, name, buffers)
    text = _text(shown)
    if text is not None:
        return encoding.encode_text(text, buffers)
    drawn = {0: _encode_scalar, 1: _encode_line, 2: _encode_picture}.get(shown.ndim)
    if drawn is None:
        return encoding.encode_text(_shape_text(cell.data), buffers)
    return drawn(shown, buffers)


def _text(shown):
    """A text itself, or the size of what is too complicated to show."""
    if isinstance(shown, str):
        return shown
    if is_loaded_instance(shown, "xarray", "Dataset"):
        return f"Dataset ({shown.nbytes / 1e6:.2f}MB)"
    if is_loaded_instance(shown, "pandas", "DataFrame"):
        size = shown.memory_usage(index=True, deep=True).sum()
        return f"DataFrame ({size / 1e6:.2f}MB)"
    return None


def _shape_text(data):
    return f"{data.dtype}: {data.shape}"


def _encode_figure(figure, name, buffers):
    """A picture of the figure; where it cannot be drawn, its summary alone suffers."""
    try:
        if not figures.is_matplotlib(figure):
            return {"kind": "png", "buffer": buffers.add(figures.plotly_png(figure))}
        pixels = buffers.once(figures.pixels, figure)
        return {"kind": "image", "array": encoding.encode_array(pixels, buffers)}
    except Exception as error:
        log.error("No picture of the figure %s: %s", name, failures.message_of(error))
        is_plotly = not figures.is_matplotlib(figure)
        return encoding.encode_text("Plotly figure" if is_plotly else "<thumbnail error>", buffers)


def _encode_scalar(shown, buffers):
    value = np.asarray(shown)
    if is_storable(value.dtype) and not is_text(value.dtype):
        return _encode_value(value, buffers)
    return encoding.encode_text(str(value), buffers)


def _encode_line(shown, buffers):
    y = np.asarray(shown)
    if not is_number(y.dtype):
        if is_text(y.dtype):
            return encoding.encode_text(_shape_text(y), buffers)
        try:
            y = y.astype(np.float64)
        except Exception:
            return encoding.encode_text("<trendline error>", buffers)
    x = _positions(shown)
    return {
        "kind": "line",
        "x": None if x is None else encoding.encode_array(x, buffers),
        "y": encoding.encode_array(y, buffers),
    }


def _coordinate(shown, axis):
    """The values of a DataArray's coordinate along an axis, None where there is none."""
    if not is_loaded_instance(shown, "xarray", "DataArray"):
        return None
    name = shown.dims[axis]
    values = shown.coords[name].values if name in shown.coords else None
    return values if np.shape(values) == (shown.shape[axis],) else None


def _positions(shown):
    """The x of a line as float64: a numeric coordinate, or times in seconds since 1970."""
    x = _coordinate(shown, 0)
    if x is None:
        return None
    if x.dtype.kind not in "iufcmM":
        return None
    if x.dtype.kind == "M":
        positions = x.astype("datetime64[ns]").astype(np.int64) / 1e9
    else:
        positions = x.real.astype(np.float64, copy=False)
    if x.dtype.kind in "mM":
        positions[np.isnat(x)] = np.nan
    return positions


def _encode_picture(shown, buffers):
    pixels = np.asarray(shown)
    if not is_number(pixels.dtype):
        text = _shape_text(pixels) if is_text(pixels.dtype) else "<thumbnail error>"
        return encoding.encode_text(text, buffers)
    upwards = is_loaded_instance(shown, "xarray", "DataArray") and not _descends(_coordinate(shown, 0))
    if _descends(_coordinate(shown, 1)):
        # xarray draws coordinates from left to right, whichever way they are stored.
        pixels = pixels[:, ::-1]
    return {"kind": "picture", "pixels": encoding.encode_array(pixels, buffers), "upwards": upwards}


def _descends(values):
    if values is None or len(values) < 2 or values.dtype.kind not in "iufM":
        return False
    return bool(values[0] > values[-1])
