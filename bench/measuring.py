"""One job of either program, from its start to the row in the table."""
import os
import sqlite3
import sys
import time
from dataclasses import dataclass

from cases import HERE
from process import Job, Peaks

LOOK = 0.001        # seconds
PATIENCE = 900


@dataclass(frozen=True)
class Figures:
    wall: float         # seconds to the row
    job: float          # seconds to the job's end
    cpu: float          # seconds, of all processes


def one_job(contestant, run):
    job, combiner = contestant.start(run)
    row = Row(contestant, run)
    _wait(row.is_there, row)
    wall = time.perf_counter() - job.began
    ended, cpu = job.wait()
    time.sleep(0.05)    # the combiner's own farewell to this fragment
    return Figures(wall, ended, cpu + combiner())


def memory(contestant, run):
    """The peaks of one job, which is not timed: looking takes time."""
    job, _ = contestant.start(run)
    peaks = Peaks(job.pid)
    while job.is_running():
        peaks.look()
        time.sleep(LOOK / 2)
    job.wait()
    row = Row(contestant, run)
    _wait(row.is_there, row)
    return peaks


def users_part(contestant, run):
    """Of the context file's imports and functions by themselves."""
    command = [sys.executable, HERE / "bare" / "evaluate.py", contestant.case.context,
               str(contestant.proposal), str(run), *(["--mock"] * (not contestant.case.real))]
    job = Job([str(part) for part in command], contestant.folder, contestant.environment,
              contestant.folder / "bare.log")
    wall, cpu = job.wait()
    return Figures(wall, wall, cpu)


class Row:
    """Waits for a run's values without being in the writer's way: the table is read after it has changed."""

    def __init__(self, contestant, run):
        self._table = contestant.db / "runs.sqlite"
        self._which = (contestant.proposal, run)
        self._seen = None
        self.log = contestant.folder

    def is_there(self):
        stamps = tuple(_stamp(f"{self._table}{end}") for end in ("", "-wal", "-journal"))
        if stamps == self._seen:
            return False
        try:
            found = self._count()
        except sqlite3.OperationalError:
            return False        # locked: ask again
        self._seen = stamps
        return found > 0

    def _count(self):
        connection = sqlite3.connect(f"file:{self._table}?mode=ro", uri=True, timeout=0)
        try:
            query = "SELECT count(*) FROM run_variables WHERE proposal = ? AND run = ?"
            return connection.execute(query, self._which).fetchone()[0]
        finally:
            connection.close()


def _stamp(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _wait(is_there, row):
    deadline = time.monotonic() + PATIENCE
    while not is_there():
        if time.monotonic() > deadline:
            raise SystemExit(f"no row came within {PATIENCE} s; the logs: {row.log}")
        time.sleep(LOOK)
