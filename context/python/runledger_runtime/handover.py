"""Values on their way from a job to the one that follows from it: arrays and texts, each in a file of its own.

What such a file cannot give back exactly is not written: the later job evaluates it itself.
"""
import os

import numpy as np

from . import failures
from .log import log


def keep(folder, name, value):
    """Writes a value for the later job; nothing where that is not possible."""
    path = os.path.join(folder, name)
    try:
        if type(value) is str:
            content = value.encode("utf-8")
            _settle(path + ".txt", lambda file: file.write(content))
        elif _is_exact(value):
            _settle(path + ".npy", lambda file: np.save(file, value, allow_pickle=False))
    except Exception as error:
        log.warning("%s is not handed to the job that follows: %s", name, failures.message_of(error))


def take(handed, evaluation):
    """Lets later variables see the values that were handed over."""
    for name in handed["names"]:
        try:
            evaluation.results[name] = _read(os.path.join(handed["folder"], name))
        except Exception as error:
            log.error("Could not read what an earlier job computed for %s: %s", name, failures.message_of(error))
            evaluation.errors[name] = error
    if handed["names"]:
        log.info("Taken over from an earlier job: %s", ", ".join(handed["names"]))


def _is_exact(value):
    """Whether NumPy's file format has all that there is to an array."""
    if type(value) is not np.ndarray:
        return False
    kind = value.dtype
    if kind.hasobject or kind.kind == "T" or kind.metadata is not None:
        return False
    again = np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(kind))
    return again == kind and again.isalignedstruct == kind.isalignedstruct


def _settle(path, write):
    """A file is there as a whole or not at all, also after a power cut."""
    draft = path + ".writing"
    with open(draft, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _read(path):
    if os.path.exists(path + ".npy"):
        return np.load(path + ".npy", allow_pickle=False)
    with open(path + ".txt", "rb") as file:
        return file.read().decode("utf-8")
