"""Executes the context file, once, and finds out what it declares."""
import hashlib
import os
import sys
import traceback
import types

from . import declaration, default_pipeline
from .failures import GroupError, message_of, shortened

RUNTIME = os.path.dirname(os.path.abspath(__file__))


class Invalid(Exception):
    """The file cannot be used: what is wrong, and the traceback if it came from an exception."""

    def __init__(self, problems, shown=None):
        super().__init__(problems)
        self.problems = problems
        self.traceback = shown


class ContextFile:
    """The variables of a file by name, what each needs directly, and an order that respects this."""

    def __init__(self, variables, digest=None):
        self.variables = variables
        # Of the text as it was read; None where the variables come from elsewhere.
        self.digest = digest
        self.dependencies, self.order, problems = declaration.examine(variables)
        if problems:
            raise Invalid(problems)


def load(path):
    """Executes the file at `path` and checks its variables; raises `Invalid`."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        # A module that can be imported by its name: functions of the file can be pickled by process pools.
        name = os.path.splitext(os.path.basename(path))[0]
        return ContextFile(declared(content, path, name), hashlib.sha256(content).hexdigest())
    except Invalid:
        raise
    except BaseException as error:
        raise _as_invalid(error, path) from None


def declared(content, path, name):
    """Executes a file's content as the module `name`; returns name → Variable of what is to be evaluated."""
    namespace, default = default_pipeline.of(lambda: _execute(content, path, name))
    return default.variables(namespace)


def _execute(content, path, name):
    """The file's names and their values, in the order of their definition."""
    code = compile(content, path, "exec", dont_inherit=True)
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    exec(code, vars(module))
    return dict(vars(module))


def _as_invalid(error, path):
    if isinstance(error, GroupError) and error.problems:
        # Found by us when the file had been executed: a traceback says nothing.
        return Invalid([
            declaration.problem(f"GroupError: {message}", place if place[0] else (path, None))
            for message, place in error.problems
        ])
    return Invalid([_as_problem(error, path)], own_traceback(error))


def _as_problem(error, path):
    if isinstance(error, SyntaxError):
        return declaration.problem(f"{type(error).__name__}: {error.msg}", (error.filename, error.lineno))
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path
    ]
    place = (path, lines[-1] if lines else None)
    return declaration.problem(f"{type(error).__name__}: {message_of(error)}", place)


def own_traceback(error):
    """The traceback's text without the frames of this runtime."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(RUNTIME):
        frames = frames.tb_next
    try:
        return shortened("".join(traceback.format_exception(type(error), error, frames)))
    except Exception:
        # Users' exceptions may not even be printable.
        return f"{type(error).__name__}: {message_of(error)}\n"
