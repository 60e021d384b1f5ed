"""Makes a database with the damnit package: make_database.py DIR PROPOSAL CONTEXT."""
import sys
from pathlib import Path

from damnit.backend.db import DamnitDB, initialize_proposal

folder, proposal, context = sys.argv[1:]
initialize_proposal(Path(folder), int(proposal), Path(context))
with DamnitDB.from_dir(Path(folder)) as db:
    db.metameta["context_python"] = sys.executable
