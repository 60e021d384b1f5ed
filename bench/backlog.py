"""A backlog that waits at a real broker, for many proposals, until a real Slurm has all of its jobs.

Slurm lets them wait: what is measured are the listeners. DAMNIT's starts one `sbatch` after the other and gets a part
of the backlog only, which is enough to know what each of them takes; it is sent once DAMNIT has joined the group.
"""
import subprocess
import time

from listeners import JOINED, Damnit, Runledger, ask
from parts import Kafka, Slurm

PROPOSALS = 200
RUNS = 50
PART = 200
AT_MOST = 900   # seconds
ALL = f"{PROPOSALS * RUNS:,}".replace(",", " ")
TITLE = f"{ALL} notifications for {PROPOSALS} proposals wait at the broker, real Slurm"

SBATCH = """#!/bin/sh
date +%s.%N >>"${0%/*}/submitted"
exec REAL "$@"
"""


def measure(root, tools):
    root.mkdir()
    for proposal in range(1, PROPOSALS + 1):
        (root / "data/SPB/202602" / f"p{proposal:06}").mkdir(parents=True)
    data = {"XFEL_DATA_ROOT": str(root / "data"), "EXTRA_DATA_DATA_ROOT": str(root / "data")}
    sbatch = subprocess.run(["which", "sbatch"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    stand_ins = {"sbatch": SBATCH.replace("REAL", sbatch)}
    with Kafka(*(f"{kind.name}.r2d2" for kind in (Damnit, Runledger))) as kafka, Slurm() as slurm:
        slurm.begin_nothing()
        theirs, ours = (kind(root, kafka.address, range(1, PROPOSALS + 1), stand_ins, slurm.environment | data, tools)
                        for kind in (Damnit, Runledger))
        found = _of_damnit(theirs), _of_ours(ours, slurm)
    return _rows(*found)


def _runs(count):
    """The proposals one after the other, again and again."""
    return [(1 + number % PROPOSALS, 1 + number // PROPOSALS) for number in range(count)]


def _of_damnit(listener):
    """(Seconds per notification, calls of sbatch, MB)."""
    service = listener.start()
    try:
        time.sleep(JOINED)
        listener.send(_runs(PART))
        _until(lambda: len(listener.notes("submitted")) >= PART, listener)
        times = [float(when) for (when,) in listener.notes("submitted")]
        return (times[-1] - times[0]) / (len(times) - 1), len(times), service.peak()
    finally:
        service.end()


def _of_ours(listener, slurm):
    """(Seconds until Slurm has all, calls of sbatch, MB, seconds until all is in the inbox and committed)."""
    listener.send(_runs(PROPOSALS * RUNS))
    before = slurm.jobs()
    began = time.monotonic()
    service = listener.start()
    try:
        _until(lambda: _is_committed(listener), listener)
        committed = time.monotonic() - began
        left = set(listener.databases.values())
        _until(lambda: _are_submitted(left), listener)
        submitted = time.monotonic() - began
        missing = before + PROPOSALS * RUNS - slurm.jobs()
        if missing:
            raise SystemExit(f"Slurm has not heard of {missing} jobs; look in {listener.folder}")
        return submitted, len(listener.notes("submitted")), service.peak(), committed
    finally:
        service.end()


def _is_committed(listener):
    """The position in the topic is committed only behind what is in the inbox."""
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=listener.broker)
    try:
        positions = admin.list_consumer_group_offsets(listener.group)
    finally:
        admin.close()
    return sum(position.offset for position in positions.values()) >= PROPOSALS * RUNS


def _are_submitted(left):
    """Leaves those databases in `left` of which Slurm has not taken all jobs."""
    taken = "SELECT count(*) = ? FROM attempts WHERE queue_id IS NOT NULL"
    left -= {database for database in left if ask(database / "ledger.sqlite", taken, RUNS)}
    return not left


def _until(is_so, listener):
    give_up = time.monotonic() + AT_MOST
    while not is_so():
        if time.monotonic() > give_up:
            raise SystemExit(f"{listener.name} has not done its part; look in {listener.folder}")
        time.sleep(0.1)


def _rows(theirs, ours):
    each, calls, peak = theirs
    submitted, our_calls, our_peak, committed = ours
    our_each = submitted / (PROPOSALS * RUNS)
    return [
        ["all are on disk and their positions committed, s", "", f"{committed:.1f}", "", ""],
        ["Slurm has all jobs, s", f"{each * PROPOSALS * RUNS:.0f} (from {PART})", f"{submitted:.1f}", "", ""],
        ["per notification, ms", f"{each * 1000:.3g}", f"{our_each * 1000:.3g}", f"{each / our_each:.0f} ×", ""],
        ["calls of sbatch", f"{calls} (for {PART})", str(our_calls), "", ""],
        ["peak memory of the listener, MB", f"{peak:.0f}", f"{our_peak:.0f}", f"{peak / our_peak:.1f} ×", ""],
    ]
