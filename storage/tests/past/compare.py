"""Compares two folders that were migrated from the same one: prints what differs, as JSON.

    compare.py OURS THEIRS
"""
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

PNG = b"\x89PNG\r\n\x1a\n"


def main(ours, theirs):
    different = [*tables(ours, theirs)]
    for path in sorted((ours / "extracted_data").glob("*.h5")):
        different += [f"{path.stem} {name}" for name in file_differences(path, theirs / "extracted_data" / path.name)]
    print(json.dumps(different))


def tables(ours, theirs):
    for table, key in [("run_info", 2), ("run_variables", 3), ("variables", 1), ("time_comments", 1), ("metameta", 1)]:
        rows = [read(folder, table, key) for folder in (ours, theirs)]
        for place in sorted(rows[0].keys() | rows[1].keys(), key=str):
            yield from row_differences(table, place, *(found.get(place) for found in rows))


def read(folder, table, key):
    with closing(sqlite3.connect(folder / "runs.sqlite")) as conn:
        conn.row_factory = sqlite3.Row
        rows = [dict(row) for row in conn.execute(f"SELECT * FROM {table}")]
    return {tuple(row.values())[:key]: row for row in rows if row.get("key") != "db_id"}


def row_differences(table, place, ours, theirs):
    if ours is None or theirs is None:
        yield f"{table} {place}: only {'ours' if theirs is None else 'theirs'}"
        return
    for column in ours.keys() | theirs.keys():
        values = [plain(row.get(column)) for row in (ours, theirs)]
        if values[0] != values[1]:
            yield f"{table} {place} {column}"


def plain(value):
    return "PNG" if isinstance(value, bytes) and value.startswith(PNG) else value


def file_differences(ours, theirs):
    with h5py.File(ours) as a, h5py.File(theirs) as b:
        names = sorted(a.keys() | b.keys())
        reduced = sorted(a[".reduced"].keys() | b[".reduced"].keys())
        labelled = [name for name in names if a[name].attrs.get("_damnit_objtype") == "dataarray"]
        for name in names:
            if name not in labelled and name != ".reduced" and not alike(a[name], b[name]):
                yield name
        for name in reduced:
            if not alike(a[".reduced"][name], b[".reduced"][name]):
                yield f"summary of {name}"
    for name in labelled:
        arrays = [xr.load_dataarray(path, group=name, engine="h5netcdf") for path in (ours, theirs)]
        if not arrays[0].identical(arrays[1]) or arrays[0].dtype != arrays[1].dtype:
            yield name


def alike(a, b):
    if dict(a.attrs).keys() != dict(b.attrs).keys() or type(a) is not type(b):
        return False
    if isinstance(a, h5py.Group):
        return a.keys() == b.keys() and all(alike(a[name], b[name]) for name in a)
    values = [plain(bytes(it[()]) if it.dtype == np.uint8 and it.ndim == 1 else it[()]) for it in (a, b)]
    return a.dtype == b.dtype and bool(np.all(np.asarray(values[0]) == np.asarray(values[1])))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
