"""Results of packages that draw or tabulate, in the bytes that are stored of them."""
import numpy as np

from . import is_loaded_instance

# Seconds that Plotly may take to draw a picture: it asks a browser, which may not answer.
PATIENCE = 10.0


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


def plotly_json(figure):
    """(Kind of object, bytes) of a Plotly figure."""
    return "PlotlyFigure", figure.to_json().encode("utf-8")


def plotly_png(figure):
    """A PNG of a Plotly figure; raises where the environment cannot draw it, or not in time."""
    import threading

    if _given_up:
        raise TimeoutError("an earlier Plotly figure was not drawn in time")
    answers = []
    # Nothing waits for the thread, and what it has started ends with the job.
    drawing = threading.Thread(target=_draw, args=(figure, answers), daemon=True)
    drawing.start()
    drawing.join(PATIENCE)
    if not answers:
        _given_up.append(drawing)
        raise TimeoutError(f"Plotly did not draw the figure within {PATIENCE:g} seconds")
    png, error = answers[0]
    if error is not None:
        raise error
    return bytes(png)


# Drawings that were given up.
_given_up = []


def _draw(figure, answers):
    try:
        answers.append((figure.to_image(format="png"), None))
    except BaseException as error:
        answers.append((None, error))


def parquet(frame):
    """(Kind of object, bytes) of a Series, stored as a frame of one column, or of a DataFrame."""
    is_series = is_loaded_instance(frame, "pandas", "Series")
    table = frame.to_frame(name=frame.name) if is_series else frame
    content = table.to_parquet(path=None, engine="pyarrow", index=None)
    return "series" if is_series else "dataframe", content
