"""A lone notification on an idle cluster: until `sbatch` is started, and until the job runs in a real Slurm.

A script stands before `sbatch`, the same for both. It notes the time down, and lets the job's own script begin with
noting it down.
"""
import random
import subprocess
import sys
import time
from statistics import median

from cases import Runs
from listeners import JOINED, Damnit, Runledger
from parts import Kafka, Slurm

TITLE = "a lone notification, real Slurm"
TIMES = 9
AT_MOST = 60    # seconds
TARGET = 50     # ms

SBATCH = """#!/bin/sh
date +%s.%N >>"${0%/*}/submitted"
for each; do
    shift
    [ "$before" != --wrap ] || set -- "$@" "date +%s.%N >>'${0%/*}/running'; $each"
    [ "$before" = --wrap ] || set -- "$@" "$each"
    before=$each
done
exec REAL "$@"
"""


def measure(root, tools):
    root.mkdir()
    runs = Runs(tools.data, sys.executable)
    sbatch = subprocess.run(["which", "sbatch"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    stand_ins = {"sbatch": SBATCH.replace("REAL", sbatch)}
    with Kafka(*(f"{kind.name}.r2d2" for kind in (Damnit, Runledger))) as kafka, Slurm() as slurm:
        environment = dict(slurm.environment, XFEL_DATA_ROOT=str(tools.data), EXTRA_DATA_DATA_ROOT=str(tools.data))
        listeners = [kind(root, kafka.address, [runs.proposal], stand_ins, environment, tools)
                     for kind in (Damnit, Runledger)]
        services = [listener.start() for listener in listeners]
        try:
            time.sleep(JOINED)
            return _rows(*_in_turn(listeners, runs, slurm))
        finally:
            for service in services:
                service.end()


def _in_turn(listeners, runs, slurm):
    """The first time nothing is counted."""
    found = {listener.name: [] for listener in listeners}
    for number in range(TIMES + 1):
        runs.add(runs.first + number)
        for listener in listeners:
            found[listener.name].append(_one(listener, runs.proposal, runs.first + number))
            _until(lambda: slurm.jobs() == 0, "the jobs end", listener)
            # Slurm looks for work once a second: not always at the same moment of it.
            time.sleep(1 + random.random())
    return [each[1:] for each in found.values()]


def _one(listener, proposal, run):
    """Seconds from sending until (`sbatch` is started, the job runs)."""
    known = len(listener.notes("running"))
    began = time.time()
    listener.send([(proposal, run)])
    _until(lambda: len(listener.notes("running")) > known, "the job runs", listener)
    return [float(listener.notes(name)[known][0]) - began for name in ("submitted", "running")]


def _until(is_so, what, listener):
    give_up = time.monotonic() + AT_MOST
    while not is_so():
        if time.monotonic() > give_up:
            raise SystemExit(f"{listener.name}: not yet so: {what}; look in {listener.folder}")
        time.sleep(0.1)


def _rows(theirs, ours):
    rows = []
    for place, title, target in ((0, "until sbatch is started, ms", TARGET), (1, "until the job runs, ms", "")):
        one, other = (median(each[place] for each in found) * 1000 for found in (theirs, ours))
        rows.append([title, f"{one:.0f}", f"{other:.0f}", f"{one / other:.1f} ×", str(target)])
    return rows
