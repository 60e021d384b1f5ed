"""Evaluates the selected variables of one run, one after the other, and says what became of each."""
import sys
import time

from . import failures
from .arguments import Arguments, MissingDependencies, MissingParameters
from .cell import Cell
from .context_file import own_traceback
from .encoding import encode_cell
from .failures import Skip
from .log import log


class Evaluation:
    """The results and errors so far; `channel` is told each of them at once."""

    def __init__(self, context, request, run, start_time, channel):
        self._variables = context.variables
        self._channel = channel
        self._errors = {}
        self._results = {"start_time": start_time}
        self._arguments = Arguments(context, request, run, self._results)
        self._run = run

    def evaluate(self, name):
        """Evaluates one variable, whose dependencies have had their turn."""
        self._channel.send("start", name=name)
        began = time.perf_counter()
        try:
            answer, buffers = self._attempt(self._variables[name])
            log.info("Computed %s in %.03f s", name, time.perf_counter() - began)
        except MissingParameters as missing:
            log.warning("Skipped %s: no value for the parameters %s", name, ", ".join(missing.names))
            answer, buffers = {"message": "no-value"}, None
        except MissingDependencies as missing:
            answer, buffers = self._failed(name, failures.missing(missing.names, self._errors)), None
        except BaseException as error:
            answer, buffers = self._failed(name, error), None
        flush()
        seconds = time.perf_counter() - began
        self._channel.send(**answer, buffers=buffers, name=name, seconds=seconds)

    def _attempt(self, variable):
        """The message about a variable that did not raise, and its buffers."""
        arguments = self._arguments.of(variable)
        returned = variable.func(self._run, **arguments)
        self._channel.leave_if_forked()
        # What the function printed comes before what is logged about it.
        flush()
        if variable.transient:
            self._remember(variable.name, returned.data if isinstance(returned, Cell) else returned)
            return {"message": "no-value"}, None
        cell = returned if isinstance(returned, Cell) else Cell(returned)
        encoded, buffers = encode_cell(cell, variable)
        self._remember(variable.name, cell.data)
        return {"message": "no-value"} if encoded is None else {"message": "result", "cell": encoded}, buffers

    def _remember(self, name, data):
        if data is not None:
            self._results[name] = data

    def _failed(self, name, error):
        """Notes and logs an exception; the message about it."""
        self._channel.leave_if_forked()
        self._errors[name] = error
        flush()
        if isinstance(error, (Skip, failures.DependencyError)):
            log.warning("Skipped %s: %s", name, failures.message_of(error))
        else:
            log.error("Could not get data for %s\n%s", name, own_traceback(error).rstrip())
        if self._variables[name].transient:
            return {"message": "no-value"}
        return {
            "message": "failed",
            "class": failures.storable_text(type(error).__name__),
            "text": failures.storable_text(failures.message_of(error)),
        }


def flush():
    """Empties Python's buffers into the log, as far as the users' code has left them open."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
