"""Starts the worker: `python runledger_worker.py FD MEMORY`.

FD is the channel, 0 if a sandbox passes on no other descriptors; MEMORY the bytes that the data of a process may take, 0 for no limit. With
`keep FOLDER NAME SECONDS` it becomes a warm Python instead, see `warm.py`.

This one file keeps to the grammar that all Pythons since 2.6 share, because an interpreter that is too
old has to be able to say so.
"""
import json
import os
import struct
import sys

OLDEST = (3, 9)
# The version of the messages that `channel.py` carries; the other side compares it with its own.
PROTOCOL = 3


def greeting(**more):
    version = ".".join(str(part) for part in sys.version_info[:3])
    return dict(more, message="hello", protocol=PROTOCOL, python=version, pid=os.getpid(), buffers=[])


def say(fd, **more):
    header = json.dumps(greeting(**more)).encode("utf-8")
    os.write(fd, struct.pack("<I", len(header)) + header)


def main():
    arguments = sys.argv[1:]
    del sys.argv[1:]
    is_kept = arguments[0] == "keep"
    fd = 0 if is_kept else channel_of(int(arguments[0]))
    if sys.version_info < OLDEST:
        say(fd)
        sys.exit("Python is too old: %s" % sys.version)
    if not is_kept:
        limit_memory(int(arguments[1]))
        make_room_for_channel(fd)
    try:
        import_numpy()
    except Exception as error:
        say(fd, numpy=None, reason=str(error))
        sys.exit("NumPy cannot be imported: %s" % error)
    import_ours()
    if is_kept:
        from runledger_runtime import warm

        warm.keep(arguments[1], arguments[2], int(arguments[3]), begin)
    else:
        serve(fd)


def begin(fd, memory):
    """The beginning of a worker that was forked."""
    limit_memory(memory)
    serve(fd)


def serve(fd):
    import numpy
    from runledger_runtime import worker

    worker.serve(fd, greeting(numpy=numpy.__version__))


def channel_of(fd):
    """The channel, which users' code does not find as its stdin."""
    if fd != 0:
        return fd
    moved = os.dup(fd)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, fd)
    os.close(nothing)
    return moved


def make_room_for_channel(fd):
    # It will get a high number (`channel.py`). A process that has threads already, as NumPy makes them, waits long
    # for a larger table of descriptors.
    import fcntl

    os.close(fcntl.fcntl(fd, fcntl.F_DUPFD, 200))


def import_numpy():
    # Its OpenBLAS has a thread for each core; without work they look for some for 2^26 cycles, from the import on,
    # and take the processor from others meanwhile. Work that follows at once comes within less.
    wait = "OPENBLAS_THREAD_TIMEOUT"
    is_ours = wait not in os.environ
    if is_ours:
        os.environ[wait] = "22"
    try:
        import numpy  # noqa: F401
    finally:
        if is_ours:
            del os.environ[wait]


def import_ours():
    find_ours_first()
    # Who imports this file by its name gets this one, wherever users look first.
    sys.modules["runledger_worker"] = sys.modules["__main__"]
    # Compiled files in our own folder are not what somebody who wants none has in mind, and the next job is
    # sooner ready.
    without = sys.dont_write_bytecode
    sys.dont_write_bytecode = False
    import damnit_ctx  # noqa: F401 (before a module of the users could take its name)
    from runledger_runtime import worker  # noqa: F401

    sys.dont_write_bytecode = without
    find_users_first()


def limit_memory(most):
    if not most:
        return
    # Who asks for more gets a MemoryError, which costs one variable; the system's own way is to kill.
    import resource

    hardest = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hardest != resource.RLIM_INFINITY:
        most = min(most, hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


HERE = os.path.dirname(os.path.abspath(__file__))


def find_ours_first():
    sys.path[:] = [HERE] + [folder for folder in sys.path if folder != HERE]


def get_ready_for_users_pool():
    """A process that the users' code has spawned begins with this file, too; then it imports theirs."""
    before = sys.path[:]
    find_ours_first()
    import damnit_ctx  # noqa: F401

    sys.path[:] = before


def find_users_first():
    # The database folder comes first, as if the context file were a script; we come last, for the
    # process pools of users, which import anew.
    others = [folder for folder in sys.path if folder != HERE]
    sys.path[:] = [os.getcwd()] + others + [HERE]


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":
    get_ready_for_users_pool()
