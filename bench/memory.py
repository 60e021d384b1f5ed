"""What a listener takes: waiting for something, and when much has come.

Slurm is made of scripts: `sbatch` only answers; `squeue` lets the latest jobs wait, and says of all others that they have
failed: of each a listener has to see the end. So a long time's notifications come within a minute, a portion after the
other, and no more jobs are open at a time than on a busy day. The broker is a real Kafka.
"""
import time

from listeners import JOINED, Damnit, Runledger, ask
from parts import Kafka

TITLE = "a listener"
EVENTS = {"damnit": 10_000, "runledger": 100_000}
PORTION = 5_000
WAITING = 300       # jobs
PROPOSALS = 200
# Every tenth notification is for a proposal that is watched, and leads to a job.
WATCHED = range(10, PROPOSALS + 1, 10)
IDLE = 20           # seconds
AT_MOST = 1200      # seconds
QUIET = 5           # seconds: the queue is asked once more
IDLE_TARGET, TARGET = 25, 40    # MB

SBATCH = """#!/bin/sh
tasks=1
for each; do
    case $before in
        --array) tasks=${each#0-} tasks=$((${tasks%\\%*} + 1)) ;;
        --comment) token=$each ;;
    esac
    before=$each
done
echo "$$ $tasks $token" >>"${0%/*}/jobs"
echo "$$;solaris"
"""
SQUEUE = """#!/bin/sh
for each; do
    case $each in --jobs=*) asked=,${each#*=}, ;; esac
done
tac "${0%/*}/jobs" | awk -v asked="$asked" '{
    state = seen < WAITING ? "PENDING|Priority" : "FAILED|NonZeroExitCode"
    seen += $2
    if (asked == "" || index(asked, "," $1 ","))
        for (i = 0; i < $2; i++) print ($2 > 1 ? $1 "_" i : $1) "|" state "|N/A|" $3
}'
""".replace("WAITING", str(WAITING))
NOTHING = "#!/bin/sh\nexit 0\n"
STAND_INS = {"sbatch": SBATCH, "squeue": SQUEUE, "sacct": NOTHING, "scancel": NOTHING}


class Asking(Runledger):
    """Its queue is asked more often than on a site: portions come faster than there."""

    more_settings = '[slurm]\nevery = "1s"\n'


def measure(root, tools):
    root.mkdir()
    for proposal in range(1, PROPOSALS + 1):
        (root / "data/SPB/202602" / f"p{proposal:06}").mkdir(parents=True)
    environment = {"XFEL_DATA_ROOT": str(root / "data"), "EXTRA_DATA_DATA_ROOT": str(root / "data")}
    with Kafka(*(f"{kind.name}.r2d2" for kind in (Damnit, Runledger))) as kafka:
        found = [_of_one(kind(root, kafka.address, WATCHED, STAND_INS, environment, tools))
                 for kind in (Damnit, Asking)]
    return _rows(*found)


def _of_one(listener):
    """(MB when idle, ms of CPU a minute when idle, MB after all events, the most MB, the most jobs that were open)."""
    service = listener.start()
    try:
        time.sleep(JOINED)
        cpu = service.learn_idle_use(IDLE) * 60_000
        idle = service.memory()
        most_open = _send_all(listener)
        time.sleep(QUIET)
        return idle, cpu, service.memory(), service.peak(), most_open
    finally:
        service.end()


def _send_all(listener):
    """Returns how many jobs were open at most when a portion was done with."""
    most_open = 0
    for begin in range(0, EVENTS[listener.name], PORTION):
        end = begin + PORTION
        listener.send((1 + number % PROPOSALS, 1 + number // PROPOSALS) for number in range(begin, end))
        _until_submitted(listener, end // PROPOSALS * len(WATCHED))
        most_open = max(most_open, _open(listener))
    return most_open


def _until_submitted(listener, jobs):
    give_up = time.monotonic() + AT_MOST
    while sum(int(tasks) for _, tasks, *_ in listener.notes("jobs")) < jobs:
        if time.monotonic() > give_up:
            raise SystemExit(f"{listener.name} has not submitted {jobs} jobs; look in {listener.folder}")
        time.sleep(0.2)


def _open(listener):
    """Jobs whose end our listener has not seen yet; DAMNIT's does not look."""
    question = "SELECT count(*) FROM attempts WHERE settled = ?"
    return sum(ask(folder / "ledger.sqlite", question, 0) or 0 for folder in listener.databases.values())


def _rows(theirs, ours):
    their_events, our_events = (f"{EVENTS[name]:,}".replace(",", " ") for name in ("damnit", "runledger"))
    rows = [
        ("idle: memory, MB", theirs[0], ours[0], IDLE_TARGET),
        ("idle: CPU a minute, ms", theirs[1], ours[1], ""),
        (f"after {our_events} notifications (damnit: {their_events}): memory, MB", theirs[2], ours[2], TARGET),
        ("… and its peak, MB", theirs[3], ours[3], ""),
    ]
    return [[title, f"{one:.0f}", f"{other:.0f}", f"{one / other:.1f} ×", str(target)]
            for title, one, other, target in rows] + [["… and the most jobs open at a time", "", str(ours[4]), "", ""]]
