"""`Pipeline.default()` and `Pipeline.set_default()`: which of its variables a context file means to be evaluated."""
from contextvars import ContextVar

from . import collection

_current = ContextVar("runledger_default_pipeline", default=None)


class Default:
    """The default pipeline of one context file, None until it asks for one.

    When it is `alone`, the file's other variables do not count.
    """

    def __init__(self):
        self.pipeline = None
        self.alone = False

    def variables(self, namespace):
        """Name → Variable of what counts in a file with these names and values."""
        if self.alone:
            return self.pipeline.vars
        found = collection.variables(namespace)
        if self.pipeline is None:
            return found
        from .pipeline_variables import joined

        return joined(self.pipeline.vars, found)


def current():
    """The one of the file that is being executed; elsewhere, a notebook's own."""
    if _current.get() is None:
        _current.set(Default())
    return _current.get()


def of(execute):
    """Calls `execute`, which executes a file; returns (what it returned, the file's Default)."""
    default = Default()
    token = _current.set(default)
    try:
        return execute(), default
    finally:
        _current.reset(token)
