"""Opens a scan of the invented light source Solstice: NumPy files in a folder for each scan."""
import os
from pathlib import Path

import numpy as np


class Scan:
    """What context files are given as `run`: arrays by name."""

    def __init__(self, folders):
        self._folders = folders

    def __getitem__(self, name):
        for folder in self._folders:
            path = folder / f"{name}.npy"
            if path.exists():
                return np.load(path)
        raise KeyError(name)


def root():
    """Where the visits are: for a job, the `root` of the configuration."""
    return Path(os.environ.get("XFEL_DATA_ROOT", "/data/visits"))


def open_scan(visit, scan, data="all"):
    """`data`: "raw", "proc" or "all". FileNotFoundError tells that there is none."""
    found = sorted(root().glob(f"*/visit-{visit}/scans/{scan:04}"))
    if not found:
        raise FileNotFoundError(f"visit {visit} has no scan {scan} below {root()}")
    reduced = found[0] / "reduced"
    if data == "proc" and not reduced.is_dir():
        raise FileNotFoundError(f"{reduced} is not there")
    return Scan([reduced, found[0]] if data != "raw" else [found[0]])
