"""Merging fragments into a run's file: ours (`src/bin/merge.rs`) and DAMNIT's `combine`, each on a file of its own."""
import os
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median

import h5py
import numpy as np

TITLE = "merging into a run's file"
MB = 1_000_000
ROUNDS = 3
# The file: 200 variables of 5 MB. Fragments: one variable of 1 MB.
FILE = {f"v{number:03}": 5 * MB for number in range(200)}
NEW = [{f"new{number}": MB} for number in range(50)]
AGAIN = [{"again": MB}] * 20


def measure(root, tools):
    """(Title, DAMNIT's, ours, target): MB/s, then MB."""
    root.mkdir()
    large, small = root / "large.h5", root / "small.h5"
    _write(large, FILE | AGAIN[0])
    _write(small, AGAIN[0])
    cases = {
        "50 fragments of 1 MB into 1 GB, one by one": (large, NEW, "each"),
        "… all at once": (large, NEW, "all"),
        "a variable of 1 MB in 1 GB, 20 times": (large, AGAIN, "each"),
        "a variable of 1 MB by itself, 20 times": (small, AGAIN, "each"),
    }
    found = []
    for title, (base, fragments, how) in cases.items():
        both = [(_theirs(root, base, fragments), _ours(root, base, fragments, how, tools)) for _ in range(ROUNDS)]
        (their_time, their_growth), (our_time, our_growth) = (
            (median(times), median(growth)) for times, growth in (zip(*one) for one in zip(*both)))
        target = "0.33 ×" if base is large and how == "each" else ""
        found.append((f"{title}, MB/s", len(fragments) / their_time, len(fragments) / our_time, target))
        if fragments is AGAIN:
            found.append((f"{title}: growth on disk, MB", their_growth, our_growth, ""))
    return found


def _write(path, variables):
    with h5py.File(path, "w") as file:
        for group in (".reduced", ".preview", ".errors"):
            file.create_group(group)
        for number, (name, size) in enumerate(variables.items()):
            file[f"{name}/data"] = np.random.default_rng(number).random(size // 8)
            file[f".reduced/{name}"] = float(number)
            file[f".reduced/{name}"].attrs["summary_method"] = "mean"


def _folder(root, base, fragments):
    """A database whose run's file is still a fragment, the first one, and the others beside it."""
    shutil.rmtree(root / "db", ignore_errors=True)
    results = root / "db" / "extracted_data"
    results.mkdir(parents=True)
    first = results / "p1_r2.first.ready.h5"
    shutil.copy(base, first)
    others = []
    for number, variables in enumerate(fragments):
        others.append(root / f"p1_r2.{number:02}.ready.h5")
        _write(others[-1], variables)
        os.utime(others[-1], (number, number))
    return results, first, others


def _growth(file, before):
    return file.stat().st_blocks * 512 / MB - before / MB


def _theirs(root, base, fragments):
    from damnit.backend.combine import combine

    results, first, others = _folder(root, base, fragments)
    file = results / "p1_r2.h5"
    combine(first, file)
    before = _settled(file)
    others = [Path(shutil.move(other, results)) for other in others]
    began = time.perf_counter()
    for other in others:
        combine(other, file)
    return time.perf_counter() - began, _growth(file, before)


def _ours(root, base, fragments, how, tools):
    results, _, others = _folder(root, base, fragments)
    _merge(results, "all", tools)
    file = results / "p1_r2.h5"
    before = _settled(file)
    for other in others:
        shutil.move(other, results)
    return _merge(results, how, tools), _growth(file, before)


def _merge(results, how, tools):
    command = [tools.merge, results.parent, "1", "2", how]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return sum(map(int, printed.split())) / 1e9


def _settled(file):
    """Its space on the disk, once all of it is there: what was written before is not written while it is measured."""
    os.sync()
    return file.stat().st_blocks * 512
