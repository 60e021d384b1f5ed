"""Tells the other side, and the run's log, what became of each variable."""
import os
import sys

from . import failures, handover
from .context_file import own_traceback
from .encoding import encode_cell
from .failures import Skip
from .log import log


class Reporter:
    """Lets variables have their turns and says at once how it went.

    Of those in `again` the other side has the results already, or wants none; the values of those in `kept`
    (folder and names, or None) are written for the job that follows.
    """

    def __init__(self, evaluation, channel, again, kept):
        self.evaluation = evaluation
        self.channel = channel
        self._again = frozenset(again)
        self._kept = kept or {"folder": None, "names": ()}

    def report_all(self, names):
        for name in names:
            self.begin(name)
            self.report(name)

    def begin(self, name):
        if name in self._again:
            log.info("Evaluating %s again, for others", name)
        else:
            log.info("Evaluating %s (%d of %d)", name, *self.evaluation.place(name))

    def report(self, name):
        is_known = name in self._again
        self.channel.send("start", name=name, pid=os.getpid())
        outcome = self.evaluation.attempt(name)
        self.channel.leave_if_forked()
        # What the function printed comes before what is logged about it.
        flush()
        described, buffers = _silent(outcome) if is_known else _described(outcome)
        if outcome.cell is not None and name in self._kept["names"] and not is_known:
            handover.keep(self._kept["folder"], name, outcome.cell.data)
        tell(outcome)
        self.evaluation.remember(outcome)
        flush()
        self.channel.send(**described, buffers=buffers, name=name, seconds=outcome.seconds)


def _described(outcome):
    """(Message, its buffers); a result that cannot be encoded becomes an error."""
    if outcome.cell is not None:
        try:
            return _cell(outcome)
        except BaseException as error:
            outcome.cell, outcome.error = None, error
    if outcome.error is None or outcome.variable.transient:
        return _silent(outcome)
    return dict(_failure(outcome.error), message="failed"), None


def _cell(outcome):
    encoded, buffers = encode_cell(outcome.cell, outcome.variable)
    if encoded is None:
        return _silent(outcome)
    return {"message": "result", "cell": encoded}, buffers


def _silent(outcome):
    """The message of a variable of which nothing is stored, or nothing more."""
    failure = None if outcome.error is None else _failure(outcome.error)
    return {"message": "no-value", "held": outcome.value() is not None, "failure": failure}, None


def _failure(error):
    return {
        "class": failures.storable_text(type(error).__name__),
        "text": failures.storable_text(_text(error)),
    }


def tell(outcome, label=""):
    """Says in the log what became of a variable; `label` comes before that."""
    name, error = outcome.variable.name, outcome.error
    if outcome.lacking:
        log.warning("%sSkipped %s: no value for the parameters %s", label, name, ", ".join(outcome.lacking))
    elif error is None:
        log.info("%sComputed %s in %.03f s", label, name, outcome.seconds)
    elif isinstance(error, (Skip, failures.DependencyError)):
        log.warning("%sSkipped %s: %s", label, name, failures.message_of(error))
    else:
        log.error("%sCould not get data for %s\n%s", label, name, own_traceback(error).rstrip())


def _text(error):
    text, limit = failures.message_of(error), _limit(error)
    return f"{text} {limit}" if text and limit else text or limit


def _limit(error):
    """What kept the memory from someone who asked for more."""
    if not isinstance(error, MemoryError):
        return ""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if limit == resource.RLIM_INFINITY:
        return ""
    return f"(the memory limit of this job is {limit / (1 << 30):.1f} GiB)"


def flush():
    """Empties Python's buffers into the log, as far as the users' code has left them open."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
