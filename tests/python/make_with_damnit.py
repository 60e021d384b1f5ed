"""Makes a database with the damnit package alone, and evaluates runs with it.

    make_with_damnit.py DIR CONTEXT PROPOSAL RUN... [--mock] [--keep-fragments]

--mock evaluates on a run without files; else XFEL_DATA_ROOT and EXTRA_DATA_DATA_ROOT tell
where the proposal is. --keep-fragments leaves the results unmerged.
"""
import argparse
import os
import sys
from pathlib import Path

os.environ["AMORE_BROKER"] = "none"     # read by damnit when it is imported

from damnit.backend.combine import gather_all_fragments
from damnit.backend.db import DamnitDB, initialize_proposal
from damnit.backend.extract_data import RunExtractor


def main():
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("context", type=Path)
    arguments.add_argument("proposal", type=int)
    arguments.add_argument("runs", type=int, nargs="+")
    arguments.add_argument("--mock", action="store_true")
    arguments.add_argument("--keep-fragments", action="store_true")
    args = arguments.parse_args()

    initialize_proposal(args.folder, args.proposal, args.context)
    with DamnitDB.from_dir(args.folder) as db:
        db.metameta["context_python"] = sys.executable

    os.chdir(args.folder)
    for run in args.runs:
        extractor = RunExtractor(args.proposal, run, mock=args.mock)
        extractor.update_db_vars()
        extractor.db.ensure_run(args.proposal, run)
        extractor.extract_and_ingest()
    if not args.keep_fragments:
        gather_all_fragments(Path.cwd())


if __name__ == "__main__":
    main()
