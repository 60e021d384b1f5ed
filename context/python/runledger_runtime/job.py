"""The job that this process works for, while it evaluates: pipelines open runs and hand results in as it does."""
import _thread
import os

_current = None


class Job:
    """The way to the job, and its function that opens a run (`module:function`, None: extra_data's)."""

    def __init__(self, channel, opener):
        self.opener = opener
        self.pid = os.getpid()
        self._channel = channel
        self._ended = False
        # Users' own threads may ask, and go on when the evaluation is over.
        self._turn = _thread.allocate_lock()

    def ask(self, frames):
        """The answer to frames (their parts); None when the evaluation is over by now."""
        with self._turn:
            return None if self._ended else self._channel.ask(frames)

    def end(self):
        with self._turn:
            self._ended = True


def begin(channel, opener):
    global _current
    _current = Job(channel, opener)


def end():
    """Afterwards nobody but the worker itself uses the channel."""
    global _current
    _current.end()
    _current = None


def current():
    """The job, or None in a notebook, in a forked child, and when nothing is being evaluated."""
    return _current if _current is not None and _current.pid == os.getpid() else None


def opener():
    """The opener of runs. A forked child has its parent's."""
    return None if _current is None else _current.opener
