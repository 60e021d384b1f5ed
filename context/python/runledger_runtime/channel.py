"""The worker's side of the channel: frames on a socket of its own, so that nobody's `print` gets in.

A frame is the header's length (unsigned, 32 bits, little-endian), the header (a JSON object in UTF-8)
and the raw buffers whose lengths its field "buffers" lists. Values are data: no frame is ever code.
`docs/worker-protocol.md` lists the messages; `PROTOCOL` in `runledger_worker.py` is their version.
"""
import _thread
import fcntl
import json
import os
import select
import signal
import socket
import struct
from itertools import chain

import numpy as np

from .arrays import raw_pieces

# The other side refuses longer headers; large things travel in buffers.
LONGEST_HEADER = 64 << 20
# High, where code that closes or reuses small numbers does not meet it.
_LOWEST_FD = 200


class Buffers:
    """The raw parts of one frame; memory that occurs twice travels once."""

    def __init__(self):
        self.parts = []
        self._known = {}
        self._made = {}

    def add(self, content):
        """Takes bytes, or an array; returns the buffer's number."""
        self.parts.append(content)
        return len(self.parts) - 1

    def add_array(self, array):
        """Takes an array's elements; returns the buffer's number."""
        array = np.asarray(array)
        # The same memory has the same bytes, as long as it is kept.
        layout = None if array.flags.c_contiguous else (array.shape, array.strides)
        memory = (array.__array_interface__["data"][0], array.nbytes, layout)
        if memory not in self._known or array.nbytes == 0:
            self._known[memory] = self.add(array)
        return self._known[memory]

    def once(self, make, source):
        """`make(source)`, made once for several places of a cell."""
        # While the source is kept, nothing else has its identity.
        key = (make, id(source))
        if key not in self._made:
            self._made[key] = (source, make(source))
        return self._made[key][1]

    def pieces(self):
        """All parts, in memory that can be sent."""
        for part in self.parts:
            yield from [part] if isinstance(part, bytes) else raw_pieces(part)

    def lengths(self):
        return [len(part) if isinstance(part, bytes) else part.nbytes for part in self.parts]


class Channel:
    """Both directions of the socket; belongs to this process alone, never to its children."""

    def __init__(self, fd):
        safe = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD)
        os.close(fd)
        self._socket = socket.socket(fileno=safe)
        self._identity = _identity(safe)
        self._pid = os.getpid()
        self._outlives = True
        self._is_forking = False
        self._lock = None
        # Users' own threads may hand results in while the main one speaks.
        self._turn = _thread.allocate_lock()
        os.register_at_fork(after_in_child=self._close_in_child)

    def _close_in_child(self):
        if not self._is_forking:
            self._socket.close()

    def share_with_forks(self):
        """From now on those that `fork` makes can send, too: one frame at a time, and they receive nothing."""
        import tempfile

        if self._lock is None:
            self._lock = tempfile.TemporaryFile()

    def fork(self):
        """As `os.fork`; the child may send."""
        self._is_forking = True
        try:
            pid = os.fork()
        finally:
            self._is_forking = False
        if pid == 0:
            self._pid = os.getpid()
            self._turn = _thread.allocate_lock()
        return pid

    def leave_if_forked(self):
        """Ends a forked child that has come back out of the users' function."""
        if os.getpid() != self._pid:
            os._exit(0)

    def send(self, message, buffers=None, **fields):
        """Sends one frame, or ends the process where nobody can be told anything any more."""
        self.leave_if_forked()
        parts = frame(dict(fields, message=message), buffers)
        with self._turn:
            self._send([parts])

    def ask(self, frames):
        """Sends frames (their parts) without any other between them; returns the answer to them."""
        with self._turn:
            self._send(frames)
            answer = self.receive()
        if answer is None:
            os._exit(1)
        return answer

    def _send(self, frames):
        self._check_identity()
        try:
            if self._lock is not None:
                # Belongs to a process, and ends with it.
                fcntl.lockf(self._lock, fcntl.LOCK_EX)
            for parts in frames:
                for part in parts:
                    self._socket.sendall(part)
            if self._lock is not None:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)
        except OSError:
            os._exit(1)

    def end_with_other_side(self):
        """From now until `outlive_other_side` all processes here end when the other side does.

        A job that is killed has nobody left who would end a function that never returns.
        """
        self._outlives = False
        _thread.start_new_thread(self._wait_for_hangup, ())

    def outlive_other_side(self):
        self._outlives = True

    def _wait_for_hangup(self):
        watch = select.poll()
        watch.register(self._socket, 0)     # a hang-up is always told
        watch.poll()
        if not self._outlives:
            os.killpg(0, signal.SIGKILL)

    def receive(self):
        """The next request, or None when the other side has gone."""
        length = self._read(4)
        if length is None:
            return None
        header = self._read(struct.unpack("<I", length)[0])
        return None if header is None else json.loads(header)

    def _read(self, count):
        content = b""
        while len(content) < count:
            part = self._socket.recv(count - len(content))
            if not part:
                return None
            content += part
        return content

    def _check_identity(self):
        """The users' code may have closed our descriptor, and its number may now be their file."""
        try:
            intact = _identity(self._socket.fileno()) == self._identity
        except OSError:
            intact = False
        if not intact:
            os.write(2, b"the channel to runledger was closed by the context file\n")
            os._exit(1)


def _identity(fd):
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def frame(fields, buffers):
    """The parts of a frame, bytes of any kind, to be gone through once."""
    buffers = buffers or Buffers()
    header = _header(dict(fields, buffers=buffers.lengths()))
    return chain([struct.pack("<I", len(header)) + header], buffers.pieces())


def _header(fields):
    header = json.dumps(fields, allow_nan=False).encode("ascii")
    if len(header) > LONGEST_HEADER:
        raise ValueError(f"a message of {len(header)} bytes is too long to describe a result")
    return header
