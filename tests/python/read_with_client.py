"""Reads a whole database with the real client and writes what it saw as JSON.

    read_with_client.py DIR OUT.json

OUT.json: {"proposal", "runs", "table": [row…], "titles": [column…],
"results": {proposal: {run: {variable: {"title", "units", "type_hint", "read",
"summary", "preview"}}}}}. A value is described by its type, dtype, shape and a checksum,
small ones also by what they hold; what the client could not read by {"error": "…"}.
"""
import hashlib
import json
import math
import sys

import numpy as np
import pandas as pd
import xarray as xr
from damnit.api import Damnit

FEW = 16    # arrays up to this size are written out


def main(folder, out):
    database = Damnit(folder)
    facts = {
        "proposal": facts_or_error(lambda: database.proposal),
        "runs": facts_or_error(lambda: plain(database.runs())),
        "table": facts_or_error(lambda: table(database)),
        "titles": facts_or_error(lambda: list(database.table(with_titles=True).columns)),
        "results": results(database),
    }
    with open(out, "w") as f:
        json.dump(facts, f, indent=1, allow_nan=False)


def facts_or_error(read):
    try:
        return read()
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"}


def table(database):
    return [{name: None if pd.isna(value) else plain(value) for name, value in row.items()}
            for row in database.table().to_dict("records")]


def results(database, describe_summary=None):
    runs = database._db.conn.execute(
        "SELECT proposal, run FROM run_info WHERE start_time IS NOT NULL ORDER BY 1, 2")
    found = {}
    for proposal, run in runs.fetchall():
        of_proposal = found.setdefault(str(proposal), {})
        of_proposal[str(run)] = facts_or_error(
            lambda: run_facts(database[proposal, run], describe_summary))
    return found


def run_facts(run, describe_summary):
    return {name: facts_or_error(lambda: variable_facts(run[name], describe_summary)) for name in run.keys()}


def variable_facts(variable, describe_summary):
    describe_summary = describe_summary or (lambda variable: describe(variable.summary()))
    return {
        "title": variable.title,
        "units": facts_or_error(lambda: variable.units),
        "type_hint": facts_or_error(lambda: type_hint(variable)),
        "read": facts_or_error(lambda: describe(variable.read())),
        "summary": facts_or_error(lambda: describe_summary(variable)),
        "preview": facts_or_error(lambda: describe(variable.preview_data())),
    }


def type_hint(variable):
    hint = variable.type_hint()
    return None if hint is None else hint.value


def describe(value):
    """What two equal values have in common, whoever stored them."""
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        return {"type": kind} | describe_array(value)
    if isinstance(value, bytes):
        return {"type": kind, "length": len(value), "sha256": sha256(value),
                "png": value.startswith(b"\x89PNG\r\n\x1a\n")}
    if isinstance(value, xr.DataArray):
        return {"type": kind, "name": plain(value.name)} | describe_xarray(value)
    if isinstance(value, xr.Dataset):
        variables = {str(n): describe_xarray(v) for n, v in value.data_vars.items()}
        return {"type": kind, "variables": variables, "attrs": plain(value.attrs),
                "dims": {str(n): length for n, length in value.sizes.items()},
                "coords": coordinates(value)}
    if isinstance(value, pd.Series):
        return {"type": kind, "name": plain(value.name)} | describe_array(value.to_numpy())
    if isinstance(value, pd.DataFrame):
        columns = {str(n): describe_array(c.to_numpy()) for n, c in value.items()}
        return {"type": kind, "columns": columns}
    return {"type": kind, "value": plain(value)}


def describe_xarray(value):
    return {"dims": list(value.dims), "coords": coordinates(value),
            "attrs": plain(value.attrs)} | describe_array(value.values)


def coordinates(value):
    return {str(name): {"dims": list(c.dims), "attrs": plain(c.attrs)} | describe_array(c.values)
            for name, c in value.coords.items()}


def describe_array(array):
    facts = {"dtype": str(array.dtype), "shape": list(array.shape)}
    if array.dtype.hasobject:
        facts["sha256"] = sha256(repr(array.tolist()).encode())
    else:
        little_endian = array.dtype.newbyteorder("<")
        facts["sha256"] = sha256(np.ascontiguousarray(array, little_endian).tobytes())
    if array.size <= FEW:
        facts["values"] = plain(array.tolist())
    return facts


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def plain(value):
    """As JSON can hold it; what it cannot becomes text."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if value is pd.NA:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)       # nan, inf, -inf
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
