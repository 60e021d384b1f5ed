"""Evaluates a pipeline's variables in this process, and keeps all that they came to."""
from . import job, opening
from .cell import Cell
from .evaluation import Evaluation
from .reporting import tell
from .results import Results


def execute(context, proposal, run, *, params, data, opened, label):
    """The `Results` of one run. `data` is the run, or None to open the part `opened` of it."""
    request = {
        "proposal": proposal, "run": run, "params": params, "names": context.order, "selected": context.order,
        "mock": False, "opener": job.opener(),
    }
    if data is None:
        data, names = opening.open_run(request, context.variables, opened)
        request = dict(request, names=names, selected=names)
    began = opening.start_time(data)
    evaluation = Evaluation(context.variables, request, data, began)
    cells = {"start_time": Cell(began)}
    label = "" if label == "default" else f"[{label}] "
    for name in request["names"]:
        outcome = _attempt(evaluation, name, label)
        if outcome.cell is not None:
            cells[name] = _complete(outcome)
    stored = {name: error for name, error in evaluation.errors.items() if not context.variables[name].transient}
    return Results(cells, stored, context)


def _attempt(evaluation, name, label):
    """One variable's turn; an exception that is to end the whole program, like Ctrl-C, goes on."""
    outcome = evaluation.attempt(name)
    if outcome.error is not None and not isinstance(outcome.error, Exception):
        raise outcome.error
    evaluation.remember(outcome)
    tell(outcome, label)
    return outcome


def _complete(outcome):
    """The cell, with what its variable says for all of its cells."""
    cell, variable = outcome.cell, outcome.variable
    if cell.summary is None:
        cell.summary = variable.summary
    if cell.units is None:
        cell.units = variable.units
    return cell
