"""A warm Python: it has imported what an earlier job imported, and forks a worker for each further one.

Nothing of the users' own code is executed here: the context file and the modules beside it are read anew for
every job. Where the imports alone could make a difference, it refuses to serve. The folder of its
socket belongs to one user.
"""
import fcntl
import gc
import json
import os
import select
import socket
import struct
import sys
import time

from . import keeper
from .imported import Imports

_TICK = 2.0         # seconds between two looks whether anybody can still want us
_PATIENCE = 2.0     # for somebody who has connected


def keep(folder, name, patience, begin):
    """Waits for jobs at the socket `name` in `folder`, each time for `patience` seconds.

    A worker begins with `begin(channel, memory)`. stdin has what the worker of a job has imported; stdout
    is a log of our own, and the lock by which there is one of us.
    """
    job = json.load(sys.stdin)
    if not _detach() or not _is_first():
        return
    imports = Imports([tuple(module) for module in job["modules"]], job["own"], os.getcwd())
    unfit = job["unfit"] or imports.unfit()
    print(f"cannot serve: {unfit}" if unfit else "ready", flush=True)
    listening = _listen(folder, name)
    # What is here now is not looked at again and again by each worker, and stays shared with it.
    gc.freeze()
    try:
        _serve(listening, patience, imports, unfit, begin)
    finally:
        # A worker never comes to this: it ends without returning.
        for file in (name, f"{name}.log"):
            os.unlink(os.path.join(folder, file))
        fcntl.flock(1, fcntl.LOCK_UN)


def _detach():
    """Leaves the job that has started us; whether this is the process that goes on."""
    if os.fork():
        return False
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return True


def _is_first():
    try:
        fcntl.flock(1, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listen(folder, name):
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    here = os.getcwd()
    # The path of a socket has to be short, and that of a folder may be long.
    os.chdir(folder)
    try:
        if os.path.exists(name):
            os.unlink(name)
        listening.bind(name)
    finally:
        os.chdir(here)
    listening.listen()
    return listening


def _serve(listening, patience, imports, unfit, begin):
    """Returns when nothing comes any more, or what was imported is not what it would be now."""
    until = time.monotonic() + patience
    while _comes(listening, until):
        connection, _ = listening.accept()
        with connection:
            request = _request(connection)
            if request is None:
                continue
            descriptors, wanted = request
            outdated = imports.outdated()
            if outdated or unfit:
                _answer(connection, {"stale": outdated} if outdated else {"unfit": unfit})
            elif os.fork() == 0:
                listening.close()
                keeper.keep(connection, descriptors, wanted, begin)
            for descriptor in descriptors:
                os.close(descriptor)
            if outdated:
                print(outdated, flush=True)
                return
        until = time.monotonic() + patience


def _comes(listening, until):
    """Waits for somebody; whether that is so before `until`, while the database is there."""
    watch = select.poll()
    watch.register(listening, select.POLLIN)
    while time.monotonic() < until and os.path.exists("context.py"):
        if watch.poll(min(_TICK, until - time.monotonic()) * 1000):
            return True
        _forget_keepers()
    return False


def _forget_keepers():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _request(connection):
    """(The descriptors of channel and log, what is asked for), or None if it is nobody's."""
    connection.settimeout(_PATIENCE)
    try:
        if _user(connection) != os.geteuid():
            return None
        descriptors = socket.recv_fds(connection, 1, 2)[1]
        with connection.makefile("rb") as lines:
            wanted = json.loads(lines.readline())
    except (OSError, ValueError):
        return None
    connection.settimeout(None)
    return (descriptors, wanted) if len(descriptors) == 2 else None


def _user(connection):
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1]


def _answer(connection, reply):
    try:
        connection.sendall(json.dumps(reply).encode("ascii") + b"\n")
    except OSError:
        pass    # it has gone, and does without
