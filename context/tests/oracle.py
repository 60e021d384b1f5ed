"""What the package `damnit` makes of a context file: JSON on stdout, a line for the test to read."""
import json
import sys
from pathlib import Path

import numpy as np
import damnit.context  # noqa: F401 (puts ctxrunner on the path)
import ctxrunner


def shown(cell, name):
    """A summary in a form that can be compared: text, number, or kind of picture."""
    summary = cell.get_summary(log_name=name)
    if isinstance(summary, str) or summary is None:
        return summary
    if hasattr(summary, "data") and isinstance(summary.data, bytes):
        return "picture"
    array = np.asarray(summary)
    if array.ndim == 0:
        return array.dtype.str + " " + repr(array.item())
    return "line" if array.ndim == 2 and array.shape[0] == 2 else "array"


def main():
    context = ctxrunner.ContextFile.from_py_file(Path(sys.argv[1]))
    results = context.execute(ctxrunner.mock_run(), 56, 1234, {"known": 5})
    cells = {name: cell for name, cell in results.cells.items() if name != "start_time"}
    print(json.dumps({
        "errors": {name: [type(error).__name__, str(error)] for name, error in results.errors.items()},
        "summaries": {name: text for name, cell in cells.items() if (text := shown(cell, name)) is not None},
        "units": {name: cell.units for name, cell in cells.items() if cell.units is not None},
    }))


if __name__ == "__main__":
    main()
