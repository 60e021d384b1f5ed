"""A thumbnail and a trendline, per call: ours (`src/bin/pictures.rs`) and the package's."""
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SHAPES = [(1_000,), (100_000,), (1_000_000,), (64, 64), (512, 512), (2048, 2048)]
TARGET = 20


def measure(root, tools):
    """(Title, seconds of the package's, seconds of ours) of each shape."""
    root.mkdir()
    return [_one(shape, root / "elements", tools) for shape in SHAPES]


def _one(shape, file, tools):
    data = _example(shape)
    data.tofile(file)
    command = [tools.pictures, file, *map(str, shape)]
    ours = int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) / 1e9
    kind = "trendline" if len(shape) == 1 else "thumbnail"
    size = " × ".join(f"{length:,}".replace(",", " ") for length in shape)
    return f"{kind}, {size}", _median_time(_of_damnit(data)), ours


def _example(shape):
    """Waves and noise."""
    noise = np.random.default_rng(1).normal(0, 0.2, shape)
    return sum(np.sin(np.arange(length) / length * 20).reshape(-1, *[1] * axis)
               for axis, length in enumerate(reversed(shape))) + noise


def _of_damnit(data):
    import damnit

    # Where its jobs find it too.
    sys.path.append(str(Path(damnit.__file__).parent / "ctxsupport"))
    import damnit_writing

    function = damnit_writing.downsample_line if data.ndim == 1 else damnit_writing.generate_thumbnail
    return lambda: function(data)


def _median_time(call, at_least=1.0, calls=5):
    call()      # its imports
    times, began = [], time.perf_counter()
    while len(times) < calls or time.perf_counter() - began < at_least:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
