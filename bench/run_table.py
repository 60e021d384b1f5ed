"""A table of many runs and variables: what a comment, a run's values and reading the whole of it take.

Ours (`src/bin/run_table.rs`, `runledger table --csv`) and the package's work on the same database, which the package
has made.
"""
import itertools
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

PROPOSAL = 1234
RUNS = 2_000
VARIABLES = 300
TIMES = 5
TITLE = f"a table of {RUNS:,} runs × {VARIABLES} variables".replace(",", " ")
# What a variable's cells are, by its number modulo 5.
KINDS = ["number", "text", "thumbnail", "trendline", "number"]
TARGETS = {"comment": 50, "values": 10, "table": 10, "view": 5, "column": 5}
# What people ask the view for.
QUESTIONS = {"view": "SELECT * FROM runs", "column": "SELECT run, v000 FROM runs"}


def measure(root, tools):
    """(Title, seconds of the package's, seconds of ours, target)."""
    root.mkdir()
    examples = _examples(root)
    folder = _database(root / "db", examples)
    values = dict(_row(examples))
    found = {measure: ([], []) for measure in TARGETS}
    for _ in range(TIMES):
        for measure, theirs, ours in [*_writes(folder, tools, root, values), ("table", *_reads(folder, tools)),
                                      *_views(folder)]:
            found[measure][0].append(theirs)
            found[measure][1].append(ours)
    titles = {"comment": "one comment", "values": f"a run's {VARIABLES} values", "table": "the whole table",
              "view": "the whole view `runs`", "column": "one column of the view `runs`"}
    return [(titles[measure], *map(statistics.median, times), TARGETS[measure]) for measure, times in found.items()]


def _examples(root):
    """One summary of each kind, of usual size; those that are bytes are files as well, for our program."""
    import damnit

    # Where its jobs find it too.
    sys.path.append(str(Path(damnit.__file__).parent / "ctxsupport"))
    import damnit_writing
    from damnit.backend.db import numpy2blob

    waves, line = np.sin(np.arange(24) / 4), np.sin(np.arange(10_000) / 1e3)
    examples = {
        "number": 1.5,
        "text": "a word or two",
        "thumbnail": damnit_writing.generate_thumbnail(waves[:, None] * waves).data,
        "trendline": numpy2blob(damnit_writing.downsample_line(line)),
    }
    for kind in ("thumbnail", "trendline"):
        (root / kind).write_bytes(examples[kind])
    return examples


def _row(examples):
    from damnit.backend.db import ReducedData

    for number, kind in zip(range(VARIABLES), itertools.cycle(KINDS)):
        summary_type = "trendline" if kind == "trendline" else ""
        yield f"v{number:03}", ReducedData(examples[kind], summary_type=summary_type)


def _database(folder, examples):
    """By the package, but with all cells in one transaction: run by run each looks through all before it."""
    from damnit.backend.db import DamnitDB

    folder.mkdir()
    with DamnitDB.from_dir(folder, create=True) as db:
        db.metameta["proposal"] = PROPOSAL
        cells = list(_row(examples))
        with db.conn:
            for run in range(1, RUNS + 1):
                db.conn.execute("INSERT INTO run_info VALUES (?, ?, ?, ?)", (PROPOSAL, run, 1.6e9 + run, 1.6e9 + run))
                rows = [db._prepare_variable_row(PROPOSAL, run, name, value, "context.py", 1.6e9)
                        for name, value in cells]
                columns = list(rows[0])
                marks = ", ".join(f":{column}" for column in columns)
                db.conn.executemany(f"INSERT INTO run_variables ({', '.join(columns)}) VALUES ({marks})", rows)
            db.conn.executemany("INSERT INTO variables (name, title) VALUES (?, ?)", [(n, n) for n, _ in cells])
        db.change_run_comment(PROPOSAL, 1, "the first")
        db.update_views()
    return folder


def _writes(folder, tools, root, values):
    from damnit.backend.db import DamnitDB

    with DamnitDB.from_dir(folder) as db:
        comment = _time(lambda: db.change_run_comment(PROPOSAL, 1_000, "looks good"))
        run = _time(lambda: db.set_variables(PROPOSAL, 1_000, values, provenance="context.py"))
    command = [tools.run_table, folder, str(PROPOSAL), "1000", root / "thumbnail", root / "trendline"]
    ours = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return [("comment", comment, int(ours[0]) / 1e9), ("values", run, int(ours[1]) / 1e9)]


def _reads(folder, tools):
    """The package's call by itself; our program from its start to its end."""
    from damnit.api import Damnit

    theirs = _time(Damnit(folder).table, calls=1)
    command = [tools.runledger, "--quiet", "table", folder, "--csv"]
    return theirs, _time(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), calls=3)


def _views(folder):
    """Asked through the package's SQLite, of both definitions: our program has written last, the package remakes them."""
    from damnit.backend.db import DamnitDB

    with DamnitDB.from_dir(folder) as db:
        def times():
            return {name: _time(lambda: list(db.conn.execute(question)), calls=1)
                    for name, question in QUESTIONS.items()}

        ours = times()
        db.update_views()
        theirs = times()
    return [(name, theirs[name], ours[name]) for name in QUESTIONS]


def _time(call, calls=7):
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
