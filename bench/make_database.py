"""Makes a database with the damnit package: make_database.py DIR PROPOSAL CONTEXT."""
import sys
from pathlib import Path


def make(folder, proposal, context):
    from damnit.backend.db import DamnitDB, initialize_proposal

    initialize_proposal(folder, proposal, context)
    with DamnitDB.from_dir(folder) as db:
        db.metameta["context_python"] = sys.executable
        db.metameta["damnit_python"] = sys.executable


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
