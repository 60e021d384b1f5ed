"""What the package `damnit` makes of groups: a JSON line on stdout.

Called with a context file, and with a JSON list of the texts of files that it refuses.
"""
import json
import sys
from pathlib import Path

import damnit.context  # noqa: F401 (puts ctxrunner on the path)
import ctxrunner


def declared(context):
    return [
        {
            "name": name,
            "title": variable.title,
            "description": variable.description,
            "tags": None if variable.tags is None else list(variable.tags),
            "data": variable.data.value,
            "cluster": variable.cluster,
            "transient": variable.transient,
            "units": variable.units,
            "summary": variable.summary,
            "dependencies": sorted(context.direct_dependencies(variable)),
        }
        for name, variable in context.vars.items()
    ]


def refusal(code):
    try:
        ctxrunner.ContextFile.from_str(code)
    except Exception as error:
        return type(error).__name__
    return "accepted"


def main():
    context = ctxrunner.ContextFile.from_py_file(Path(sys.argv[1]))
    results = context.execute(ctxrunner.mock_run(), 56, 1234, {"known": 5})
    values = {name: cell.data for name, cell in results.cells.items() if name != "start_time"}
    print(json.dumps({
        "declared": declared(context),
        "values": {
            name: data if isinstance(data, str) else repr(data.item())
            for name, data in values.items() if data is not None
        },
        "errors": {name: [type(error).__name__, str(error)] for name, error in results.errors.items()},
        "refusals": [refusal(code) for code in json.loads(sys.argv[2])],
    }))


if __name__ == "__main__":
    main()
