"""Compares what became of each result with the result, and its summary with DAMNIT's. What differs from the result has to
be as DAMNIT has it.

    check.py RUN_FILE FAILURES

FAILURES is JSON: variable → message; the results are in made.pickle. What is wrong is printed: the exit status is 1 then.
"""
import io
import json
import logging
import pickle
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from PIL import Image


def read(path, name):
    """A stored result, as the client reads it."""
    with h5py.File(path) as file:
        kind = file[name].attrs.get("_damnit_objtype")
        if kind is None:
            data = file[name]["data"]
            return data.asstr()[()] if h5py.check_string_dtype(data.dtype) and data.ndim == 0 \
                and h5py.check_string_dtype(data.dtype).length is None else data[()]
    if kind == "dataarray":
        return xr.load_dataarray(path, group=name, engine="h5netcdf")
    found = xr.load_dataset(path, group=name, engine="h5netcdf")
    found.attrs = {key: value for key, value in found.attrs.items() if not key.startswith("_damnit_")}
    return found


def is_same(found, wanted):
    if isinstance(wanted, (xr.DataArray, xr.Dataset)):
        return type(found) is type(wanted) and found.identical(wanted) and dtypes(found) == dtypes(wanted)
    if isinstance(wanted, str):
        return found == wanted
    found, wanted = np.asarray(found), np.asarray(wanted)
    # Bit by bit: NaN, and what is between the fields of a structure, aside.
    return found.dtype == wanted.dtype and found.shape == wanted.shape and repr_of(found) == repr_of(wanted)


def has_values_of(found, wanted):
    return isinstance(wanted, (xr.DataArray, xr.Dataset)) and wanted.identical(found)


def as_stored(result):
    """What NetCDF can tell apart: a slash in a name would be a path, and one attribute is no list."""
    if not isinstance(result, (xr.DataArray, xr.Dataset)):
        return result
    stored = result.copy()
    if isinstance(stored, xr.DataArray) and stored.name is not None:
        stored.name = stored.name.replace("/", "_")
    for part in (stored, *getattr(stored, "variables", stored.coords).values()):
        part.attrs = {key: value[0] if np.shape(value) == (1,) else value for key, value in part.attrs.items()}
    return stored


def repr_of(array):
    return repr(array.tolist())


def dtypes(labelled):
    everything = labelled.coords.variables if isinstance(labelled, xr.DataArray) else labelled.variables
    kinds = {name: variable.dtype.newbyteorder("=") for name, variable in everything.items()}
    return kinds, getattr(labelled, "dtype", None)


def of_damnit(name, result, folder):
    """What the client reads after DAMNIT has stored the same result; an exception where it cannot."""
    import damnit.ctxsupport
    sys.path.insert(0, list(damnit.ctxsupport.__path__)[0])
    from damnit.context import Cell
    from damnit.ctxsupport.damnit_writing import save_fragment

    fragment = save_fragment(Path(folder), 1, 2, {name: Cell(result)}, {})
    return read(fragment, name)


def complaint(name, result, path, failures):
    """What is wrong with a stored result; None if nothing is."""
    wanted = as_stored(result)
    try:
        if name in failures:
            raise RuntimeError(f"it failed: {failures[name]}")
        found = read(path, name)
        if is_same(found, wanted):
            return None
    except Exception as error:
        found = error
    with tempfile.TemporaryDirectory() as folder:
        try:
            theirs = of_damnit(name, result, folder)
        except Exception as error:
            theirs = error
    if isinstance(theirs, Exception):
        # Nothing is lost that DAMNIT keeps, and what is kept beyond that has the right values.
        is_fair = isinstance(found, Exception) or has_values_of(found, wanted)
        return None if is_fair else f"{shown(found)}\nDAMNIT fails: {theirs}"
    if not isinstance(found, Exception) and is_same(found, theirs):
        return None
    return f"{shown(found)}\nDAMNIT gives: {shown(theirs)}"


KNOWN = np.dtype(float)


def their_summary(name, result):
    """What DAMNIT shows of a result; None where it shows nothing or an error."""
    from damnit.context import Cell

    try:
        found = Cell(result).get_summary(log_name=name)
    except Exception:
        return None
    # Texts and times as numbers: it cannot store them, or shows nothing of them.
    is_lost = found.endswith("error>") if isinstance(found, str) else getattr(result, "dtype", KNOWN).kind in "UOMm"
    return None if is_lost else found


def summary_complaint(name, result, file):
    """How the summary of a result differs from DAMNIT's; None if it does not."""
    theirs = their_summary(name, result)
    stored = file[".reduced"].get(name)
    if theirs is None or stored is None:
        return None
    # Texts too, as arrays of bytes.
    ours = np.asarray(stored[()], None if stored.dtype.hasobject else stored.dtype)
    return None if is_same_summary(ours, theirs) else f"summary: {shown(ours)}\nDAMNIT's: {shown(theirs)}"


def is_same_summary(ours, theirs):
    if hasattr(theirs, "data") and isinstance(theirs.data, bytes):
        if ours.dtype != np.uint8:
            return False
        ours, theirs = pixels(ours.tobytes()), pixels(theirs.data)
        # Where a coordinate has the same value everywhere, DAMNIT's picture has no area: it is white.
        is_near = np.mean(np.abs(ours - theirs).max(-1) <= 8) > 0.97 or (theirs == 255).all()
        return ours.shape == theirs.shape and is_near
    if isinstance(theirs, str):
        return ours.tolist() == theirs.encode()
    theirs = np.asarray(theirs)
    is_kind = theirs.dtype.names or ours.dtype.newbyteorder("=") == theirs.dtype.newbyteorder("=")
    return is_kind and np.shape(ours) == theirs.shape and repr_of(ours) == repr_of(theirs)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(int)


def shown(value):
    if isinstance(value, Exception):
        return "".join(traceback.format_exception(value)[-3:])
    if isinstance(value, (xr.DataArray, xr.Dataset)):
        return f"{value!r}\n{dtypes(value)}"
    return f"{value!r} {getattr(value, 'dtype', '')}"


def main():
    # What DAMNIT itself says is not what is wrong.
    logging.disable()
    warnings.simplefilter("ignore")
    path, failures = sys.argv[1:]
    failures = json.loads(Path(failures).read_text())
    made = pickle.loads(Path("made.pickle").read_bytes())
    wrong = 0
    file = h5py.File(path)
    for name, wanted in made.items():
        what = complaint(name, wanted, path, failures) or summary_complaint(name, wanted, file)
        if what is not None:
            wrong += 1
            print(f"=== {name}\n{shown(wanted)}\n--- became\n{what}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
