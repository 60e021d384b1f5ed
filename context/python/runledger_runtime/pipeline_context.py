"""The variables of a pipeline, checked and in order; what is wrong with them is raised by DAMNIT's classes."""
import os

from . import context_file, graph


class ContextFileErrors(RuntimeError):
    """Variables that cannot be evaluated together; `problems` are all the reasons, as texts."""

    def __init__(self, problems):
        self.problems = problems
        super().__init__(problems)

    def __str__(self):
        return "\n".join(self.problems)


class MissingDependency(ContextFileErrors, KeyError):
    """A variable asks for one that is not there; a KeyError for those who expect DAMNIT's."""


class ContextFile(context_file.ContextFile):
    """The variables of a pipeline, with the code that they come from, if any."""

    def __init__(self, variables, code=""):
        try:
            super().__init__(variables)
        except context_file.Invalid as invalid:
            raise _as_error(variables, invalid.problems) from None
        self.code = code

    @classmethod
    def from_py_file(cls, path):
        """Executes the file at `path`; what it raises is raised here."""
        path = os.path.abspath(os.fspath(path))
        with open(path, "rb") as file:
            return cls.from_str(file.read(), path)

    @classmethod
    def from_str(cls, code, path="<string>"):
        """Executes `code`, which tracebacks call `path`; what it raises is raised here."""
        path = os.fspath(path)
        # Not by the file's own name, which an imported module may have.
        return cls(context_file.declared(code, path, "pipeline:" + path.replace(".", "_")), code)

    @property
    def vars(self):
        return self.variables


def _as_error(variables, problems):
    texts = [_text(**problem) for problem in problems]
    dependencies, unmatched = graph.direct_dependencies(variables)
    if unmatched:
        return MissingDependency(texts)
    _, cycle = graph.ordered(dependencies)
    return _circular(texts) if cycle else ContextFileErrors(texts)


def _circular(texts):
    from graphlib import CycleError

    class CircularDependency(ContextFileErrors, CycleError):
        """Variables that need each other."""

    return CircularDependency(texts)


def _text(message, file, line):
    return message if file is None else f"{file}:{line}: {message}"
