"""Results of packages that draw or tabulate, in the bytes that are stored of them."""
import io

import numpy as np

from . import is_loaded_instance

# Pixels on the longer side of a picture in the table.
THUMBNAIL = 300


def is_matplotlib(value):
    return is_loaded_instance(value, "matplotlib.figure", "Figure")


def is_frame(value):
    """Whether it is pandas' Series or DataFrame."""
    return any(is_loaded_instance(value, "pandas", name) for name in ("Series", "DataFrame"))


def pixels(figure):
    """The RGBA pixels of a Matplotlib figure: (rows, columns, 4), uint8."""
    from matplotlib.backends.backend_agg import FigureCanvas

    canvas = FigureCanvas(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def thumbnail(figure):
    """A PNG of a Matplotlib figure, shrunk to the table's size if it is larger."""
    longest = max(figure.get_size_inches() * figure.dpi)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=figure.dpi * min(1, THUMBNAIL / longest))
    return content.getvalue()


def plotly_json(figure):
    """(Kind of object, bytes) of a Plotly figure."""
    return "PlotlyFigure", figure.to_json().encode("utf-8")


def parquet(frame):
    """(Kind of object, bytes) of a Series, stored as a frame of one column, or of a DataFrame."""
    is_series = is_loaded_instance(frame, "pandas", "Series")
    table = frame.to_frame(name=frame.name) if is_series else frame
    content = table.to_parquet(path=None, engine="pyarrow", index=None)
    return "series" if is_series else "dataframe", content
