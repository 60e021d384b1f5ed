"""Both programs' listeners: each has a folder, databases and a topic of its own, and all notifications from one broker.

What either asks of `sbatch` goes through a script, the same for both, that notes it down.
"""
import json
import os
import sqlite3
import subprocess
import sys

from cases import HERE
from make_database import make
from process import Service

JOINED = 10     # seconds after which a new member of a group reads its topic, whoever it is
CONTEXT = HERE / "contexts" / "trivial.py"


class Listener:
    def __init__(self, root, broker, proposals, stand_ins, environment, tools):
        self.folder = root / self.name
        self.topic = f"{self.name}.r2d2"
        self.broker = broker
        self._sender = Sender(broker)
        self.tools = tools
        self.databases = {proposal: self.folder / f"p{proposal}" for proposal in proposals}
        self.bin = self.folder / "bin"
        self.bin.mkdir(parents=True)
        for program, script in stand_ins.items():
            (self.bin / program).write_text(script)
            (self.bin / program).chmod(0o755)
        self.environment = dict(os.environ, AMORE_BROKER=broker, **environment)
        self.environment["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        for proposal, database in self.databases.items():
            make(database, proposal, CONTEXT)
        self.watch()

    def start(self):
        return Service(self.command(), self.folder, self.environment, self.folder / "listener.log")

    def notes(self, name):
        """What the scripts have noted down under this name: a list of words for each line."""
        path = self.bin / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def send(self, runs):
        """Announces raw data of each (proposal, run)."""
        self._sender.send(self.topic, runs)


class Damnit(Listener):
    name = "damnit"

    def watch(self):
        from damnit.backend.listener import ListenerDB

        with ListenerDB(self.folder) as db:
            for proposal, database in self.databases.items():
                db.add_proposal_db(proposal, database, False)

    def command(self):
        return [sys.executable, HERE / "damnit_listener.py", self.broker, self.topic, self.folder]


class Runledger(Listener):
    name = "runledger"
    group = "runledger"
    more_settings = ""

    def watch(self):
        (self.folder / "runledger.toml").write_text(
            f'[notifications]\nbrokers = ["{self.broker}"]\ntopics = ["{self.topic}"]\n'
            f'group_id = "{self.group}"\nstart_from = "earliest"\n[context]\npython = "{sys.executable}"\n'
            f"{self.more_settings}")
        for proposal, database in self.databases.items():
            add = [self.tools.runledger, "--quiet", "listener", "add", str(proposal), database]
            subprocess.run(add, check=True, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL)

    def command(self):
        return [self.tools.runledger, "listen", "."]


class Sender:
    """A producer that is connected already when something is to be sent."""

    def __init__(self, broker):
        from kafka import KafkaProducer

        self._producer = KafkaProducer(bootstrap_servers=broker)

    def send(self, topic, runs):
        """Announces raw data of each (proposal, run); returns when the broker has it all."""
        for proposal, run in runs:
            event = {"event": "migration_complete", "proposal": proposal, "run": run}
            self._producer.send(topic, json.dumps(event).encode())
        self._producer.flush()


def ask(path, question, *values):
    """The answer of a SQLite file to a question about one value; None while it is being made."""
    if not path.exists():
        return None
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(question, values).fetchone()[0]
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
