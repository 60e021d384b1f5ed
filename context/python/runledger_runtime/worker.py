"""The worker's life: greet, read the context file, evaluate what is asked for, leave."""
import atexit
import faulthandler
import os

from . import context_file, failures, handover, job, opening
from .channel import Channel
from .evaluation import Evaluation
from .log import log, start as start_log
from .reporting import Reporter, flush


def serve(fd, greeting):
    """Speaks on the descriptor `fd` until the other side has no more requests; does not return."""
    channel = Channel(fd)
    channel.send(**_without_buffers(greeting))
    # A crash in somebody's C code leaves its Python lines in the log.
    faulthandler.enable()
    start_log()
    environment = dict(os.environ)
    try:
        _converse(channel, environment)
    except BaseException as error:
        # Python itself would wait for the users' threads before it ends.
        log.critical("The worker failed\n%s", context_file.own_traceback(error))
        os._exit(1)
    _leave()


def _converse(channel, environment):
    context = _load(channel)
    while context is not None:
        request = channel.receive()
        if request is None or request["message"] == "stop":
            break
        if request["message"] == "tell-imported":
            _tell_imported(channel, environment)
        else:
            _answer(channel, context, request)


def _tell_imported(channel, environment):
    from .imported import described

    channel.send("imported", **described(os.getcwd(), environment))


def _without_buffers(greeting):
    return {name: value for name, value in greeting.items() if name != "buffers"}


def _load(channel):
    """The context file of this folder, after telling the other side about it; None if it is invalid."""
    try:
        context = context_file.load(os.path.join(os.getcwd(), "context.py"))
    except context_file.Invalid as invalid:
        flush()
        channel.send("invalid", problems=invalid.problems, traceback=invalid.traceback)
        return None
    flush()
    variables = [_declaration(variable, context) for variable in context.variables.values()]
    channel.send("manifest", variables=variables, order=context.order, digest=context.digest)
    return context


def _declaration(variable, context):
    """What the other side knows of a variable."""
    return {
        "name": variable.name,
        "title": failures.storable_text(str(variable.title)),
        "description": _optional_text(variable.description),
        "tags": None if variable.tags is None else [failures.storable_text(tag) for tag in variable.tags],
        "data": variable.data.value,
        "cluster": bool(variable.cluster),
        "transient": bool(variable.transient),
        "units": _optional_text(variable.units),
        "summary": _optional_text(variable.summary),
        "dependencies": context.dependencies[variable.name],
    }


def _optional_text(value):
    return None if value is None else failures.storable_text(str(value))


def _answer(channel, context, request):
    """Evaluates what one request asks for."""
    channel.end_with_other_side()
    try:
        run, names = opening.open_run(request, context.variables)
        began = opening.start_time(run)
    except BaseException as error:
        _say_unopened(channel, error)
        return
    channel.send("start-time", seconds=began)
    unserved = [name for name in request["names"] if name not in names]
    for name in unserved:
        channel.send("no-value", name=name, seconds=0.0)
    selected = [name for name in request["selected"] if name not in unserved]
    given = request["given"] or {"names": []}
    evaluation = Evaluation(context.variables, dict(request, selected=selected), run, began, given["names"])
    handover.take(given, evaluation)
    for lost in request["lost"]:
        evaluation.errors[lost["name"]] = failures.earlier(lost["class"], lost["text"])
    job.begin(channel, request["opener"])
    reporter = Reporter(evaluation, channel, request["again"], request["hand_over"])
    if request["workers"] > 1:
        from . import parallel

        parallel.report_all(names, context.dependencies, reporter, request["workers"])
    else:
        reporter.report_all(names)
    job.end()
    channel.outlive_other_side()
    channel.send("finished")


def _say_unopened(channel, error):
    channel.leave_if_forked()
    channel.outlive_other_side()
    shown = context_file.own_traceback(error)
    log.error("Could not open the run\n%s", shown.rstrip())
    flush()
    described = {"class": type(error).__name__, "text": failures.storable_text(failures.message_of(error))}
    channel.send("unopened", **described)


def _leave():
    """Ends the process without waiting for threads that the users' code has left running."""
    flush()
    try:
        atexit._run_exitfuncs()
    finally:
        flush()
        os._exit(0)
