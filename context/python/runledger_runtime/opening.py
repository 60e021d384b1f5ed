"""Opens the run that the users' functions get, and finds out when it started."""
import importlib
import os
import time

import numpy as np

from .arguments import is_data_collection
from .log import log
from .variable import RunData


def open_run(request, variables, data="all"):
    """The run (this part of its data), and the selected names that it can serve: only raw ones where there
    is no proc data."""
    names = request["names"]
    if request["mock"]:
        log.info("Using mock run for testing")
        return mock_run(), names
    opener = _opener(request["opener"])
    where = (request["proposal"], request["run"])
    if any(variables[name].data is RunData.PROC for name in names):
        try:
            opener(*where, data="proc")
        except FileNotFoundError:
            log.warning("Proc data is unavailable, only raw variables will be executed.")
            names = [name for name in names if variables[name].data is RunData.RAW]
    return opener(*where, data=data), names


def _opener(named):
    """The function `module:function`, called as `function(proposal, run, data=…)`; else extra_data's."""
    module, _, function = (named or "extra_data:open_run").partition(":")
    return getattr(importlib.import_module(module), function)


def start_time(run):
    """Seconds since 1970 at which the run began."""
    if not is_data_collection(run):
        return time.time()
    first = run.select_trains(np.s_[:1]).train_timestamps()[0]
    if np.isnat(first):
        return os.stat(_first_file(run)).st_mtime
    microseconds = first.astype("datetime64[us]").astype(np.int64)
    return float(microseconds / 1e6)


def _first_file(run):
    files = sorted(file.filename for file in run.files)
    raw = [name for name in files if "raw" in name]
    return (raw or files)[0]


def mock_run():
    """A run without data: it answers to everything, and has ten trains."""
    from unittest.mock import MagicMock

    run = MagicMock()
    run.files = [MagicMock(filename="/tmp/foo/bar.h5")]
    run.train_ids = np.arange(10)
    run.select_trains.side_effect = lambda trains: run
    run.train_timestamps.side_effect = lambda: (run.train_ids + 1493892000000000000).astype("datetime64[ns]")
    return run
