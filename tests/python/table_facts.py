"""What runs.sqlite says, in the form in which two databases are compared."""
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from likeness import is_png

# A database's own.
NOT_COMPARED = {"db_id", "context_python", "damnit_python"}


def table_facts(folder):
    with closing(sqlite3.connect(Path(folder) / "runs.sqlite")) as table:
        table.row_factory = sqlite3.Row
        return {"settings": settings(table), "runs": runs(table), "variables": variables(table),
                "cells": cells(table), "columns": columns(table)}


def settings(table):
    rows = table.execute("SELECT key, value FROM metameta")
    return {"": {key: value for key, value in rows if key not in NOT_COMPARED}}


def runs(table):
    rows = table.execute("SELECT proposal, run, start_time, added_at IS NULL AS no_time FROM run_info")
    return {str(row["run"]): dict(row) for row in rows}


def variables(table):
    rows = table.execute("SELECT * FROM variables ORDER BY rowid").fetchall()
    names = [row["name"] for row in rows]
    return {row["name"]: dict(row) | {"tags": tags(table, row["name"]), "place": names.index(row["name"])}
            for row in rows}


def tags(table, variable):
    rows = table.execute("SELECT tags.name FROM tags JOIN variable_tags ON id = tag_id "
                         "WHERE variable_name = ? ORDER BY 1", [variable])
    return [name for name, in rows]


def cells(table):
    """Of each cell, by run and name; values of which the client makes arrays only as what they are."""
    found = {}
    for row in table.execute("SELECT * FROM run_variables"):
        cell = dict(row)
        assert cell.pop("timestamp") > 1e9, cell
        cell["value"] = {type(cell["value"]).__name__: stored(cell["value"])}
        cell["attributes"] = json.loads(cell["attributes"] or "null")
        found.setdefault(str(cell.pop("run")), {})[cell.pop("name")] = cell
    return found


def stored(value):
    if not isinstance(value, bytes):
        return repr(value)
    if is_png(value):
        return "PNG"
    return value[:6].decode("latin-1") if value.startswith(b"\x93NUMPY") else value.hex()


def columns(table):
    """Of the views, which have one for each variable."""
    named = {view: [row["name"] for row in table.execute(f"PRAGMA table_info({view})")]
             for view in ("runs", "max_diffs")}
    return {name: {view: name in columns for view, columns in named.items()}
            for name in sorted(set().union(*named.values()))}
