"""Tells the other side, and the run's log, what became of each variable."""
import os
import sys

from . import failures
from .context_file import own_traceback
from .encoding import encode_cell
from .failures import Skip
from .log import log


def report_all(names, again, evaluation, channel):
    """Lets each variable have its turn; of those in `again` the other side has the results already."""
    for name in names:
        is_known = name in again
        begin(name, evaluation, is_known)
        report(name, is_known, evaluation, channel)


def begin(name, evaluation, is_known=False):
    if is_known:
        log.info("Evaluating %s again, for others", name)
    else:
        log.info("Evaluating %s (%d of %d)", name, *evaluation.place(name))


def report(name, is_known, evaluation, channel):
    """Lets one variable have its turn and says at once how it went."""
    channel.send("start", name=name, pid=os.getpid())
    outcome = evaluation.attempt(name)
    channel.leave_if_forked()
    # What the function printed comes before what is logged about it.
    flush()
    described, buffers = _silent(outcome) if is_known else _described(outcome)
    tell(outcome)
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
