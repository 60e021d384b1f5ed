"""The two programs that are compared: how each is set up, and what its job is.

Each has a broker, a database and a running combiner of its own. The broker (`src/bin/broker.rs`) answers a
consumer that finds nothing only when the consumer's own waiting time is over, also if a message has come
meanwhile; a real one answers at once. So both combiners wait for 10 ms at most.
"""
import os
import subprocess
import sys
import time
from uuid import uuid4

from cases import HERE, Runs
from process import Job, Service

ASK_AFTER = "10"    # milliseconds
MOCK_PROPOSAL = 1234


class Contestant:
    def __init__(self, root, case, tools, settings=""):
        self.folder = root / self.name / case.name
        self.folder.mkdir(parents=True)
        self.db = self.folder / "db"
        self.case = case
        self.tools = tools
        self.proposal = Runs.proposal if case.real else MOCK_PROPOSAL
        self._broker = subprocess.Popen([tools.broker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        address = self._broker.stdout.readline().strip()
        self.environment = dict(
            os.environ, AMORE_BROKER=address, XFEL_DATA_ROOT=str(tools.data), EXTRA_DATA_DATA_ROOT=str(tools.data))
        self.set_up(settings)
        self._combiner = Service(
            self.combiner_command(), self.folder, self.environment, self.folder / "combiner.log")
        time.sleep(5)   # the group's first meeting at the broker
        self._combiner.learn_idle_use()

    def start(self, run):
        """(The job, what its combiner uses from now on)."""
        job = Job(self.job_command(run), self.db, self.environment, self.folder / "jobs.log")
        return job, self._combiner.meter()

    def options(self):
        return ["all", "--processing-id", str(uuid4()), "--update-vars", *(["--mock"] * (not self.case.real))]

    def end(self):
        self._combiner.end()
        self._broker.stdin.close()
        self._broker.wait()


class Damnit(Contestant):
    name = "damnit"

    def set_up(self, settings):
        arguments = [self.db, str(self.proposal), self.case.context]
        subprocess.run([sys.executable, HERE / "make_database.py", *arguments], check=True)

    def combiner_command(self):
        return [sys.executable, HERE / "damnit_combiner.py", ASK_AFTER]

    def job_command(self, run):
        job = [sys.executable, "-m", "damnit.backend.extract_data", str(self.proposal), str(run)]
        return job + self.options()


class Runledger(Contestant):
    name = "runledger"

    def set_up(self, settings):
        config = self.folder / "runledger.toml"
        warm = '[jobs]\nwarm_python = "10min"' if self.case.warm else ""
        sandbox = '[sandbox]\nmode = "on"' if self.case.sandbox else ""
        config.write_text(f'[updates.properties]\n"fetch.wait.max.ms" = "{ASK_AFTER}"\n'
                          f'[context]\npython = "{sys.executable}"\n{warm}\n{sandbox}\n{settings}\n')
        self.environment["RUNLEDGER_CONFIG"] = str(config)
        command = [self.tools.runledger, "--quiet", "init", self.db, "--proposal", str(self.proposal),
                   "--context", self.case.context]
        subprocess.run(command, check=True, env=self.environment, stdout=subprocess.DEVNULL)

    def combiner_command(self):
        return [self.tools.runledger, "combiner", "run"]

    def job_command(self, run):
        return [self.tools.runledger, "extract", str(self.proposal), str(run), *self.options()]
