"""Evaluates variables of one run, one after the other; what became of each is a value."""
import time

from . import failures
from .arguments import Arguments, MissingDependencies, MissingParameters
from .cell import Cell


class Outcome:
    """What became of one variable.

    One of these, or none where there is nothing: `cell`; `held`, the object of a transient variable;
    `error`, an exception; `lacking`, the names of parameters that the job does not have.
    """

    def __init__(self, variable, seconds, cell=None, held=None, error=None, lacking=()):
        self.variable = variable
        self.seconds = seconds
        self.cell = cell
        self.held = held
        self.error = error
        self.lacking = lacking


    def value(self):
        """What other variables get of it."""
        return self.held if self.cell is None else self.cell.data


class Evaluation:
    """The results and errors of one run so far.

    `variables` maps names to Variables. `request` has `selected` (the names of this evaluation's variables),
    `proposal`, `run` and `params`; `given` are those of `selected` whose values come from an earlier job.
    """

    def __init__(self, variables, request, run, start_time, given=()):
        self._variables = variables
        self._run = run
        self._counted = [name for name in request["selected"] if name not in given]
        self.results = {"start_time": start_time}
        self.errors = {}
        self._arguments = Arguments(request, run, self.results)

    def place(self, name):
        """Which of how many variables this is."""
        return self._counted.index(name) + 1, len(self._counted)

    def is_transient(self, name):
        return bool(self._variables[name].transient)

    def attempt(self, name):
        """The outcome of a variable whose dependencies have had their turn; remembers nothing."""
        variable = self._variables[name]
        began = time.perf_counter()
        try:
            found = self._call(variable)
        except MissingParameters as missing:
            found = {"lacking": missing.names}
        except MissingDependencies as missing:
            found = {"error": failures.missing(missing.names, self.errors)}
        except BaseException as error:
            found = {"error": error}
        return Outcome(variable, time.perf_counter() - began, **found)

    def remember(self, outcome):
        """Lets later variables see an outcome."""
        name = outcome.variable.name
        if outcome.error is not None:
            self.errors[name] = outcome.error
        elif outcome.value() is not None:
            self.results[name] = outcome.value()

    def _call(self, variable):
        returned = variable.func(self._run, **self._arguments.of(variable))
        if variable.transient:
            return {"held": returned.data if isinstance(returned, Cell) else returned}
        return {"cell": returned if isinstance(returned, Cell) else Cell(returned)}
