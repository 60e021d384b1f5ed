"""Tells the other side, and the run's log, what became of each variable."""
import sys

from . import failures
from .context_file import own_traceback
from .encoding import encode_cell
from .failures import Skip
from .log import log


def report(name, evaluation, channel):
    """Lets one variable have its turn and says at once how it went."""
    channel.send("start", name=name)
    outcome = evaluation.attempt(name)
    channel.leave_if_forked()
    # What the function printed comes before what is logged about it.
    flush()
    described, buffers = _described(outcome)
    evaluation.remember(outcome)
    flush()
    channel.send(**described, buffers=buffers, name=name, seconds=outcome.seconds)


def _described(outcome):
    """(Message, its buffers); a result that cannot be encoded becomes an error."""
    if outcome.cell is not None:
        try:
            return _cell(outcome)
        except BaseException as error:
            outcome.cell, outcome.error = None, error
    return _nothing(outcome) if outcome.error is None else _failed(outcome), None


def _cell(outcome):
    encoded, buffers = encode_cell(outcome.cell, outcome.variable)
    log.info("Computed %s in %.03f s", outcome.variable.name, outcome.seconds)
    return {"message": "no-value"} if encoded is None else {"message": "result", "cell": encoded}, buffers


def _nothing(outcome):
    name = outcome.variable.name
    if outcome.lacking:
        log.warning("Skipped %s: no value for the parameters %s", name, ", ".join(outcome.lacking))
    else:
        log.info("Computed %s in %.03f s", name, outcome.seconds)
    return {"message": "no-value"}


def _failed(outcome):
    error, name = outcome.error, outcome.variable.name
    if isinstance(error, (Skip, failures.DependencyError)):
        log.warning("Skipped %s: %s", name, failures.message_of(error))
    else:
        log.error("Could not get data for %s\n%s", name, own_traceback(error).rstrip())
    if outcome.variable.transient:
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
