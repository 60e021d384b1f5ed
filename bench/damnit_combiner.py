"""DAMNIT's combiner as it is; only it asks the broker more often, like ours (`contestants.py` says why)."""
import sys

from damnit.backend.combine import FileSubmissionProcessor

with FileSubmissionProcessor({"fetch_max_wait_ms": int(sys.argv[1])}) as combiner:
    combiner.run()
