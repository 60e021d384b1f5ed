"""The user's own part of a job, and nothing else: imports, opening the run, calling the functions.

    evaluate.py CONTEXT PROPOSAL RUN [--mock]

What remains when its time is taken off a job's time is what the programs that are compared add.
"""
import fnmatch
import os
import runpy
import sys

from damnit_ctx import Cell, Variable


def main(context, proposal, run, *mock):
    names = runpy.run_path(context)
    meta = {"meta#proposal": int(proposal), "meta#run_number": int(run)}
    opened = stand_in() if mock else open_run(int(proposal), int(run))
    results = {}
    for name, variable in names.items():
        if isinstance(variable, Variable):
            evaluate(name, variable.function, opened, results, meta)


def open_run(proposal, run):
    from extra_data import open_run

    return open_run(proposal, run, data="all")


def stand_in():
    from unittest.mock import MagicMock

    import numpy as np

    run = MagicMock()
    run.train_ids = np.arange(10)
    return run


def evaluate(name, function, run, results, meta):
    """Calls a function if what it needs is there. The files have each variable behind those it needs."""
    try:
        given = {argument: value(wanted, results, meta)
                 for argument, wanted in function.__annotations__.items()}
        returned = function(run, **given)
        results[name] = returned.data if isinstance(returned, Cell) else returned
    except Exception:
        pass    # also measured


def value(wanted, results, meta):
    if wanted in meta:
        return meta[wanted]
    name = wanted.partition("#")[2]
    if "*" in name:
        return {found: results[found] for found in fnmatch.filter(results, name)}
    return results[name]


if __name__ == "__main__":
    # Without what takes time for nothing: threads of OpenBLAS that look for work, and the interpreter's end.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "22")
    main(*sys.argv[1:])
    os._exit(0)
