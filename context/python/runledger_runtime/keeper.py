"""The keeper of one job, a process between a warm Python and the worker that is forked from it.

It adopts whatever the worker's processes leave behind, and ends it with the worker; the job that
asked for the worker hears from it how that one ended.
"""
import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36
_LOOK = 0.002       # seconds
_PATIENCE = 5.0


def keep(connection, descriptors, request, begin):
    """Forks a worker that begins with `begin(channel, memory)`, and ends when all its processes have."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become_worker(descriptors, request["environment"])
        begin(descriptors[0], request["memory"])
    _let_go(descriptors)
    connection.sendall(b'"forked"\n')
    _wait(pid, connection)
    status = _end_all(pid)
    try:
        connection.sendall(b"%d\n" % status)
    except OSError:
        pass    # the job is gone, with all that it was
    os._exit(0)


def _become_worker(descriptors, environment):
    """What a Python that was started for this job would have found."""
    os.setpgid(0, 0)
    log = descriptors[1]
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    if environment != dict(os.environ):
        os.environ.clear()
        os.environ.update(environment)
    random = sys.modules.get("numpy.random")
    if random is not None:
        # Python's own generator does this by itself.
        random.seed()


def _let_go(descriptors):
    """The job waits for the end of its log."""
    for descriptor in descriptors:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _wait(pid, connection):
    """Returns when the worker has ended, or the job does not want it any more."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    watch = select.poll()
    watch.register(woken, select.POLLIN)
    watch.register(connection, select.POLLIN)
    while not _has_ended(pid):
        events = dict(watch.poll())
        if connection.fileno() in events:
            break
        os.read(woken, 1024)


def _has_ended(pid):
    # It stays there to be waited for.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_all(pid):
    """Ends every process of the job; returns the worker's status."""
    done, status = os.waitpid(pid, os.WNOHANG)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for child in _children():
            _kill(child)
        try:
            found, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if found == pid:
            status = how
        if found == 0:
            time.sleep(_LOOK)
    return status


def _children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
