"""Prints what the run files of a database have of `energy` and `trace`, as JSON:

    run_files.py DIR

    {"7": {"energy": 3.0, "energy summary": 3.0, "trace": [3.0], "trace summary": 3.0}}

Of the trace it prints each number once. What a file does not have is left out.
"""
import json
import re
import sys
from pathlib import Path

import h5py
import numpy as np

RUN_FILE = re.compile(r"p\d+_r(\d+)\.h5")
PLACES = {
    "energy": "energy/data",
    "energy summary": ".reduced/energy",
    "trace": "trace/data",
    "trace summary": ".reduced/trace",
}


def contents(path):
    with h5py.File(path) as file:
        return {what: value(file[place]) for what, place in PLACES.items() if place in file}


def value(dataset):
    return np.unique(dataset[()]).tolist() if dataset.shape else dataset[()].item()


if __name__ == "__main__":
    files = Path(sys.argv[1], "extracted_data").iterdir()
    named = [(RUN_FILE.fullmatch(path.name), path) for path in files]
    print(json.dumps({match[1]: contents(path) for match, path in named if match}))
