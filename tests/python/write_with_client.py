"""Writes into a database as the users' own programs do, through the client's DamnitDB.

    write_with_client.py DIR [RUN]

Adds a comment and a user-editable variable with a value to the run (1), and a comment to
the time axis; prints what it wrote as JSON.
"""
import json
import sys
from pathlib import Path

from damnit.backend.db import DamnitDB, ReducedData
from damnit.backend.user_variables import UserEditableVariable

COMMENT = "beam was nice – schön"
SAMPLE = "lysozyme"


def main(folder, run=1):
    run = int(run)
    with DamnitDB.from_dir(Path(folder)) as db:
        proposal = db.metameta["proposal"]
        db.change_run_comment(proposal, run, COMMENT)
        sample = UserEditableVariable("sample", "Sample", "string", "What was in the beam")
        db.add_user_variable(sample, exist_ok=True)
        db.set_variable(proposal, run, "sample", ReducedData(SAMPLE), provenance="")
        db.add_standalone_comment(1_700_000_000.0, "lunch")
    values = {"comment": COMMENT, "sample": SAMPLE}
    print(json.dumps({"proposal": proposal, "run": run, "values": values}))


if __name__ == "__main__":
    main(*sys.argv[1:])
