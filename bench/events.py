"""Notifications to submitted jobs: DAMNIT's EventProcessor with records made up in memory, and our listener with a
broker. `sbatch` is a script that only answers. Each of our notifications is on disk before Kafka hears that we have it."""
import os
import subprocess
import sys
import time

from cases import HERE
from listeners import Sender, ask
from process import Service

EVENTS = 2000
PROPOSAL = 1234
TARGET = 20
TOPIC = "test.r2d2"
SBATCH = "#!/bin/sh\necho 4711\n"
NOTHING = "#!/bin/sh\nexit 0\n"
AT_MOST = 600   # seconds


def measure(root, tools):
    """(Seconds per event of DAMNIT's, of ours)."""
    root.mkdir()
    (root / "data/SPB/202602" / f"p{PROPOSAL:06}").mkdir(parents=True)
    environment = dict(os.environ, PATH=f"{_stubs(root / 'bin')}:{os.environ['PATH']}", AMORE_BROKER="none",
                       XFEL_DATA_ROOT=str(root / "data"), EXTRA_DATA_DATA_ROOT=str(root / "data"))
    return _of_damnit(root / "damnit", environment), _of_ours(root / "runledger", environment, tools)


def _stubs(folder):
    folder.mkdir()
    for name in ("sbatch", "squeue", "sacct", "scancel"):
        (folder / name).write_text(SBATCH if name == "sbatch" else NOTHING)
        (folder / name).chmod(0o755)
    return folder


def _database(folder):
    """A listener's folder, with a database in it."""
    folder.mkdir()
    arguments = [folder / "db", str(PROPOSAL), HERE / "contexts" / "trivial.py"]
    subprocess.run([sys.executable, HERE / "make_database.py", *arguments], check=True)
    return folder / "db"


def _of_damnit(folder, environment):
    database = _database(folder)
    command = [sys.executable, HERE / "damnit_events.py", folder, database, str(PROPOSAL), str(EVENTS)]
    done = subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return float(done.stdout) / EVENTS


def _of_ours(folder, environment, tools):
    database = _database(folder)
    broker = subprocess.Popen([tools.broker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address = broker.stdout.readline().strip()
        Sender(address).send(TOPIC, [(PROPOSAL, run) for run in range(1, EVENTS + 1)])
        config = folder / "runledger.toml"
        config.write_text(f'[notifications]\nbrokers = ["{address}"]\nstart_from = "earliest"\n')
        add = [tools.runledger, "--quiet", "listener", "add", str(PROPOSAL), database]
        subprocess.run(add, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        listener = Service([tools.runledger, "listen", "."], folder, environment, folder / "listener.log")
        try:
            return _until_submitted(folder, database) / EVENTS
        finally:
            listener.end()
    finally:
        broker.stdin.close()
        broker.wait()


def _until_submitted(folder, database):
    """Seconds from the first message's arrival until a queue was given the last job."""
    give_up = time.time() + AT_MOST
    while time.time() < give_up:
        time.sleep(0.005)
        waiting = "SELECT count(*) = ? AND sum(state = 'planned') = 0 FROM jobs"
        if ask(database / "ledger.sqlite", waiting, EVENTS):
            return time.time() - ask(folder / "listener.sqlite", "SELECT min(received_at) FROM inbox")
    raise SystemExit(f"our listener is not done; its log: {folder / 'listener.log'}")
