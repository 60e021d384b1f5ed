"""What processes use: time, CPU, memory."""
import os
import signal
import subprocess
import time
from pathlib import Path


class Service:
    """A program that goes on running while others are measured."""

    def __init__(self, command, folder, environment, log):
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)
        self._log = log
        self._idle = 0.0       # seconds of CPU each second

    def learn_idle_use(self, seconds=1.0):
        """Looks how much CPU it uses without work, in seconds a second: asking the broker, again and again."""
        began = self._cpu()
        time.sleep(seconds)
        self._idle = (self._cpu() - began) / seconds
        return self._idle

    def memory(self):
        """Resident now, in MB."""
        return _status(self._process.pid, "VmRSS:")

    def peak(self):
        """The most that was ever resident, in MB."""
        return _status(self._process.pid, "VmHWM:")

    def meter(self):
        """Starts counting; the returned function tells the CPU used since then, without what it always uses."""
        cpu, now = self._cpu(), time.perf_counter()
        return lambda: max(0.0, self._cpu() - cpu - self._idle * (time.perf_counter() - now))

    def _cpu(self):
        if self._process.poll() is not None:
            raise SystemExit(f"a service has ended; its log: {self._log}")
        pids = [self._process.pid, *_below(self._process.pid)]
        tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def end(self):
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Job:
    """A process whose use is known at its end, with that of all processes that it has waited for."""

    def __init__(self, command, folder, environment, log):
        self.began = time.perf_counter()
        with open(log, "ab") as output:
            self._process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                             stdout=output, stderr=subprocess.STDOUT)
        self._command = command
        self._log = log
        self.pid = self._process.pid

    def wait(self):
        """(Seconds from its start to its end, CPU seconds)."""
        _, status, used = os.wait4(self.pid, 0)
        wall = time.perf_counter() - self.began
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise SystemExit(f"{self._command[0]} failed; its log: {self._log}")
        return wall, used.ru_utime + used.ru_stime

    def is_running(self):
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, look) is None


class Peaks:
    """The largest memory of a job's own process and of those that it starts, in MB."""

    def __init__(self, pid):
        self._pid = pid
        self.own = 0.0
        self.others = 0.0

    def look(self):
        self.own = max(self.own, _status(self._pid, "VmHWM:"))
        self.others = max([self.others, *(_status(pid, "VmHWM:") for pid in _below(self._pid))])


def _status(pid, what):
    """MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) / 1000 for line in lines if line.startswith(what)), default=0.0)


def _below(pid):
    try:
        children = [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children")
                    for child in file.read_text().split()]
    except OSError:
        return []
    return children + [further for child in children for further in _below(child)]
