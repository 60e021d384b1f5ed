"""Independent variables side by side, each in a fork of the worker.

A fork has all that was in memory when it began; what it changes there nobody else sees. Its result goes to the other
side directly. What later variables need of it comes back to the worker in a file; where that
cannot be, and for the objects of transient variables, the worker evaluates it itself.
"""
import graphlib
import os
import pickle
import select
import tempfile

from . import failures
from .channel import frame
from .log import log
from .reporting import flush

_LOOK = 100         # milliseconds between two looks at forks that run
_LAST_LOOK = 2      # the same when one of them is about to end


class Fork:
    """A variable that is being evaluated; `returned` is the file with what others need of it, or None."""

    def __init__(self, name, pid, done, returned):
        self.name = name
        self.pid = pid
        self.done = done            # has a byte when all is over, and ends with the process
        self.returned = returned
        self.is_complete = False
        self.status = None

    def has_ended(self):
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.pid, 0       # users' code has waited for it
        if pid:
            self.status = status
        return self.status is not None

    def hear(self):
        self.is_complete = bool(os.read(self.done, 1))
        self.close()

    def close(self):
        if self.done is not None:
            os.close(self.done)
        self.done = None


def report_all(names, dependencies, reporter, workers):
    """Lets each variable have its turn, at most `workers` in forks at once."""
    evaluation, channel = reporter.evaluation, reporter.channel
    channel.share_with_forks()
    order = _order(names, dependencies)
    needed = {need for name in names for need in dependencies[name]}
    outside, inside, forks = [], [], []
    while order.is_active():
        for name in order.get_ready():
            stays = name in needed and evaluation.is_transient(name)
            (inside if stays else outside).append(name)
        if outside and len(forks) < workers:
            name = outside.pop(0)
            reporter.begin(name)
            forks.append(_start(name, name in needed, reporter))
        elif inside:
            name = inside.pop(0)
            reporter.begin(name)
            reporter.report(name)
            order.done(name)
        else:
            fork = _first_to_end(forks)
            forks.remove(fork)
            _take(fork, evaluation, channel)
            order.done(fork.name)


def _order(names, dependencies):
    """What may have its turn when."""
    present = set(names)
    order = graphlib.TopologicalSorter()
    for name in names:
        order.add(name, *present.intersection(dependencies[name]))
    order.prepare()
    return order


def _start(name, is_needed, reporter):
    returned = tempfile.TemporaryFile() if is_needed else None
    done, mine = os.pipe()
    flush()
    pid = reporter.channel.fork()
    if pid == 0:
        _be_fork(name, returned, mine, reporter)
    os.close(mine)
    return Fork(name, pid, done, returned)


def _be_fork(name, returned, done, reporter):
    """One variable's turn; the process ends with it."""
    status = 1
    try:
        reporter.report(name)
        if returned is not None:
            _return(name, returned, reporter.evaluation)
        os.write(done, b".")
        status = 0
    except BaseException as error:
        log.critical("The fork for %s failed: %s", name, failures.message_of(error))
    finally:
        flush()
        os._exit(status)


def _return(name, file, evaluation):
    """Writes what became of a variable; nothing where that cannot be written."""
    error = evaluation.errors.get(name)
    if isinstance(error, failures.DependencyError):
        found = ("not called",)
    elif error is not None:
        found = ("error", type(error).__name__, failures.message_of(error))
    else:
        found = ("value", evaluation.results.get(name))
    try:
        pickle.dump(found, file, protocol=5)
        file.flush()
    except Exception:
        file.truncate(0)


def _first_to_end(forks):
    while True:
        for fork in forks:
            if fork.has_ended():
                return fork
        watch = select.poll()
        watched = {fork.done: fork for fork in forks if fork.done is not None}
        for done in watched:
            watch.register(done, select.POLLIN)
        for done, _ in watch.poll(_LOOK if len(watched) == len(forks) else _LAST_LOOK):
            watched[done].hear()


def _take(fork, evaluation, channel):
    """Makes what a fork has found out known to later variables."""
    if fork.done is not None:
        fork.hear()
    if not fork.is_complete:
        failure = channel.ask([frame({"message": "lost", "name": fork.name, "status": fork.status}, None)])
        evaluation.errors[fork.name] = failures.earlier(failure["class"], failure["text"])
    elif fork.returned is not None:
        _take_returned(fork, evaluation, channel)


def _take_returned(fork, evaluation, channel):
    with fork.returned as file:
        file.seek(0)
        try:
            kind, *found = pickle.load(file)
        except Exception:
            log.info("Evaluating %s again: what it returned cannot be passed from process to process", fork.name)
            kind = "not passed on"
    if kind in ("not called", "not passed on"):
        evaluation.remember(evaluation.attempt(fork.name))
        channel.leave_if_forked()
    elif kind == "error":
        evaluation.errors[fork.name] = failures.earlier(*found)
    elif found[0] is not None:
        evaluation.results[fork.name] = found[0]
