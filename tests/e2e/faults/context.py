"""Two results that belong together. Who computes them, and which, is written down."""
import json
import os
import random
import time

import numpy as np
from damnit_ctx import Variable


def who():
    """The job's process is our parent, and its command line says which attempt it is."""
    with open(f"/proc/{os.getppid()}/cmdline") as file:
        words = file.read().split("\0")
    return {
        "job": words[words.index("--processing-id") + 1],
        "attempt": int(words[words.index("--attempt") + 1]),
        "process": os.getppid(),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", 0)),
        "in_slurm": os.environ.get("SLURM_JOB_ID", ""),
    }


def write_down(**what):
    """One write to a file that is only appended to: lines of several processes do not mix."""
    with open("evaluations", "a") as books:
        books.write(json.dumps(what) + "\n")


@Variable(title="Energy")
def energy(run):
    this = who()
    write_down(**this)
    time.sleep(random.random() / 2)
    # A whole number, so that the mean of many is exact.
    value = float(random.getrandbits(30))
    write_down(**this, energy=value)
    return value


@Variable(title="Trace", summary="mean")
def trace(run, energy: "var#energy"):
    return np.full(1000, energy)
