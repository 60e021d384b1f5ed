"""Compares two databases: through the client, runs.sqlite and the runs' files.

    compare_databases.py OURS THEIRS OUT.json

OUT.json: how they differ, [{"of": variable, "what", "run", "ours", "theirs"}…]. Pictures and sparklines are the
same when they look alike; times of writing are not compared.
"""
import json
import re
import sys
from pathlib import Path

import numpy as np
from damnit.api import Damnit

from file_facts import file_facts
from likeness import Line, is_png, picture_facts
from read_with_client import describe, results
from table_facts import table_facts

ABSENT = "absent"


def main(ours, theirs, out):
    found = [{"of": variable, "what": what, "run": run, "ours": shown(left), "theirs": shown(right)}
             for run, variable, what, left, right in differences(facts(ours), facts(theirs))]
    Path(out).write_text(json.dumps(found, indent=1))


def facts(folder):
    """By part, run (where there is one) and variable."""
    of_table = table_facts(folder)
    by_proposal = results(Damnit(folder), describe_summary)
    return {
        **{part: {"": of_table.pop(part)} for part in ("settings", "runs", "variables", "columns")},
        **of_table,
        "client": next(iter(by_proposal.values())),
        "file": {run_of(path): file_facts(path) for path in Path(folder, "extracted_data").glob("*.h5")},
    }


def run_of(path):
    return re.fullmatch(r"p\d+_r(\d+)\.h5", path.name).group(1)


def describe_summary(variable):
    value = variable.summary()
    if isinstance(value, bytes) and is_png(value):
        return picture_facts(value)
    if isinstance(value, np.ndarray) and value.ndim == 2 and len(value) == 2:
        return {"line": Line(value)}
    return describe(value)


def differences(ours, theirs):
    for (part, run, variable, *rest), left, right in unequal(ours, theirs):
        yield run, variable, " ".join([part, *rest]), left, right


def unequal(ours, theirs, place=()):
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        if ours != theirs:
            yield (*place, *[""] * (3 - len(place))), ours, theirs
        return
    for key in ours | theirs:
        yield from unequal(ours.get(key, ABSENT), theirs.get(key, ABSENT), (*place, key))


def shown(value):
    text = str(value)
    return text if len(text) < 2000 else text[:2000] + "…"


if __name__ == "__main__":
    main(*sys.argv[1:])
