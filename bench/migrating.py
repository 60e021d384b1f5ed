"""A database of format 0 with its run files: `migrate v0-to-v1` of both programs, each on a copy of its own."""
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import h5py
import numpy as np

from process import Job, Peaks

PROPOSAL = 1234
RUNS = 2_000
FILES = 200
# Of each run, and of each file.
NUMBERS, LINES, PICTURES = 60, 30, 10
TITLE = (f"format 0 to the present one: {RUNS:,} runs × {NUMBERS + LINES + PICTURES} variables, "
         f"{FILES} run files").replace(",", " ", 1)
LOOK = 0.01         # seconds
THEIRS = "from damnit.cli import main; main(['migrate', 'v0-to-v1'])"


def measure(root, tools):
    """(Title, DAMNIT's, ours): seconds, CPU seconds, MB."""
    root.mkdir()
    _make(root / "old")
    commands = {"theirs": [sys.executable, "-c", THEIRS], "ours": [str(tools.runledger), "--quiet", "migrate", "v0-to-v1"]}
    found = [_migrate(root, name, command) for name, command in commands.items()]
    titles = ["time, s", "CPU, s", "peak memory of the largest process, MB"]
    return [(title, theirs, ours) for title, theirs, ours in zip(titles, *found)]


def _migrate(root, name, command):
    folder = root / name
    shutil.copytree(root / "old", folder)
    subprocess.run(["sync"], check=True)
    job = Job(command, folder, None, root / f"{name}.log")
    peaks = Peaks(job.pid)
    while job.is_running():
        peaks.look()
        time.sleep(LOOK)
    wall, cpu = job.wait()
    shutil.rmtree(folder)
    return wall, cpu, max(peaks.own, peaks.others)


def _make(folder):
    (folder / "extracted_data").mkdir(parents=True)
    names = [f"{kind}{number:02}" for kind, count in [("n", NUMBERS), ("l", LINES), ("p", PICTURES)]
             for number in range(count)]
    with closing(sqlite3.connect(folder / "runs.sqlite")) as conn, conn:
        conn.executescript(f"""
            CREATE TABLE runs (proposal, runnr, start_time, added_at, comment, {", ".join(names)});
            CREATE UNIQUE INDEX proposal_run ON runs (proposal, runnr);
            CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
            CREATE TABLE variables (name TEXT PRIMARY KEY NOT NULL, type TEXT, title TEXT, description TEXT, attributes TEXT);
            CREATE TABLE time_comments (timestamp, comment);
        """)
        conn.execute("INSERT INTO metameta VALUES ('proposal', ?)", (PROPOSAL,))
        marks = ", ".join("?" * (len(names) + 5))
        conn.executemany(f"INSERT INTO runs VALUES ({marks})",
                         ([PROPOSAL, run, 1.5e9 + run, 1.5e9 + run, None, *_row(run)] for run in range(1, RUNS + 1)))
    for run in range(1, FILES + 1):
        _write(folder / "extracted_data" / f"p{PROPOSAL}_r{run}.h5", run)


def _row(run):
    return [run * 0.5 + number for number in range(NUMBERS + LINES)] + [b"old" * 100] * PICTURES


def _write(path, run):
    line, labels = np.sin(np.arange(1000.) + run), np.arange(1000)
    picture = np.add.outer(np.arange(200.), np.arange(150.)) + run
    with h5py.File(path, "w") as file:
        for number in range(NUMBERS):
            file[f"n{number:02}/data"] = file[f".reduced/n{number:02}"] = run * 0.5 + number
        for number in range(LINES):
            file[f"l{number:02}/data"] = line
            file[f"l{number:02}/trainId"] = labels
            file[f".reduced/l{number:02}"] = line.mean()
        for number in range(PICTURES):
            file[f"p{number:02}/data"] = picture
            file[f".reduced/p{number:02}"] = picture
