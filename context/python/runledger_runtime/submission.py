"""Hands results in as frames: to the job if there is one, else to the program `runledger`.

A frame `submission` says where they belong, each result travels as those of a job do, and `submitted` ends it.
"""
import os

from runledger_worker import PROTOCOL

from . import failures, job
from .cell import Cell
from .channel import frame
from .encoding import encode_cell
from .log import log
from .variable import Variable

PROGRAM = "runledger"


class NotSaved(RuntimeError):
    """The results are not in the database, and why."""


def save(cells, errors, database_dir, proposal, run, provenance):
    """Saves cells and exceptions (by variable) in a run of a database; returns the fragment's path, a text."""
    database_dir = failures.storable_text(os.path.abspath(os.fspath(database_dir)))
    for name in (*cells, *errors):
        _check_name(name)
    # Complete before the first is sent: who reads them waits for nobody's code.
    messages = _messages(cells, errors, database_dir, int(proposal), int(run), provenance)
    frames = [frame(fields, buffers) for fields, buffers in messages]
    working_for = job.current()
    answer = None if working_for is None else working_for.ask(frames)
    if answer is None:
        return _through_program(frames, database_dir)
    if "path" not in answer:
        raise NotSaved(answer["reason"])
    return answer["path"]


def _check_name(name):
    fits = isinstance(name, str) and name and not name.startswith(".") and name == failures.storable_text(name)
    if not fits or "/" in name:
        raise ValueError(f"{name!r} cannot be the name of a variable: take letters, digits and underscores")


def _messages(cells, errors, database_dir, proposal, run, provenance):
    """(Fields, buffers) of each frame."""
    yield {
        "message": "submission", "protocol": PROTOCOL, "database_dir": database_dir,
        "proposal": proposal, "run": run, "provenance": failures.storable_text(str(provenance)),
    }, None
    for name, cell in cells.items():
        yield from _result(name, cell)
    for name, error in errors.items():
        yield _failed(name, error), None
    yield {"message": "submitted"}, None


def _result(name, cell):
    """One frame, or none for a cell without anything; what cannot be saved costs this variable only."""
    variable = Variable()
    variable.name = name
    try:
        encoded, buffers = encode_cell(cell if isinstance(cell, Cell) else Cell(cell), variable)
    except Exception as error:
        log.error("%s cannot be saved: %s", name, failures.message_of(error))
        yield _failed(name, error), None
        return
    if encoded is not None:
        yield {"message": "result", "name": name, "seconds": 0.0, "cell": encoded}, buffers


def _failed(name, error):
    return {
        "message": "failed", "name": name, "seconds": 0.0,
        "class": failures.storable_text(type(error).__name__),
        "text": failures.storable_text(failures.message_of(error)),
    }


def _through_program(frames, database_dir):
    import shutil
    import subprocess

    program = shutil.which(PROGRAM)
    if program is None:
        raise NotSaved(
            f"the program `{PROGRAM}`, which saves results, is not on PATH: put its folder there, in a "
            f"notebook with os.environ['PATH'] += ':/folder/of/{PROGRAM}'"
        )
    if not os.path.isdir(database_dir):
        raise NotSaved(f"there is no folder {database_dir}: name one with a runs.sqlite")
    # In the database's folder, where its jobs work too: the same configuration counts.
    with subprocess.Popen(
        [program, "--quiet", "save-results"], cwd=database_dir,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:
        _write(process.stdin, frames)
        output, said = (content.decode("utf-8", "replace").strip() for content in process.communicate())
    if process.returncode != 0:
        raise NotSaved(f"{program} did not save the results: {said or f'exit status {process.returncode}'}")
    for line in said.splitlines():
        log.warning("%s", line)
    return output


def _write(stream, frames):
    try:
        for parts in frames:
            for part in parts:
                stream.write(part)
    except BrokenPipeError:
        pass    # it has ended already, and says why
