"""Opens all run files of a database with h5py, again and again, until it is asked to end (SIGTERM).

    read_always.py DIR

Each has to be readable at every instant, and its `trace`, if the job came so far, has to belong to its `energy`. Exit status 1, and the file's
name, for the first one that is not; else 0, and how often files were read.
"""
import os
import re
import signal
import sys
from pathlib import Path

import h5py

RUN_FILE = re.compile(r"p\d+_r\d+\.h5")
stopped = []


def main(folder):
    # Only what the others leave of the processors.
    os.nice(19)
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    reads = 0
    while not stopped:
        for path in Path(folder, "extracted_data").glob("*.h5"):
            if RUN_FILE.fullmatch(path.name):
                check(path)
                reads += 1
    print(reads, "reads")


def check(path):
    try:
        with h5py.File(path) as file:
            if "trace" not in file:
                return
            energy, trace = file["energy/data"][()], file["trace/data"][:]
        assert (trace == energy).all(), f"{trace[0]} is not {energy}"
    except Exception as e:
        sys.exit(f"{path}: {type(e).__name__}: {e}")


if __name__ == "__main__":
    main(sys.argv[1])
