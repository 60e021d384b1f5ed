"""A real Kafka and a real Slurm, as long as a case needs them: the scripts of `deploy/` start them."""
import os
import subprocess
import tempfile
from pathlib import Path

from cases import HERE

DEPLOY = HERE.parent / "deploy"


class Part:
    """The script stops what it has started, and removes the folder, when its input is closed."""

    def __init__(self, script, *arguments):
        self.folder = Path(tempfile.mkdtemp(prefix="rl-"))
        self._process = subprocess.Popen(
            [DEPLOY / script, "run", self.folder, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, start_new_session=True)
        if not any(line.endswith("ready\n") for line in self._process.stdout):
            raise SystemExit(f"{script} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()


class Kafka(Part):
    def __init__(self, *topics):
        super().__init__("kafka/kafka.sh", *topics)
        self.address = (self.folder / "address").read_text().strip()


class Slurm(Part):
    """Where DAMNIT's jobs and ours go: the cluster of shared nodes."""

    cluster = "solaris"
    partition = "solcpu"

    def __init__(self):
        super().__init__("slurm/slurm.sh")
        self.environment = {"SLURM_CONF": str(self.folder / "maxwell.conf")}

    def begin_nothing(self):
        """Takes jobs from now on, and lets them wait."""
        name = f"partitionname={self.partition}"
        self._ask("scontrol", "--cluster", self.cluster, "update", name, "state=down")

    def jobs(self):
        """How many it has: each task of an array is one."""
        said = self._ask("squeue", "--clusters", self.cluster, "--array", "--noheader", "--format", "job %i")
        return sum(line.startswith("job ") for line in said.splitlines())

    def _ask(self, *command):
        environment = dict(os.environ, **self.environment)
        return subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout
