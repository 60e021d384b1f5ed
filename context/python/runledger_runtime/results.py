"""What the execution of a pipeline came to."""
from . import submission


class Results:
    """`cells`: name → Cell, the run's `start_time` among them; `errors`: name → exception; `ctx`: what was executed."""

    def __init__(self, cells, errors, ctx):
        self.cells = cells
        self.errors = errors
        self.ctx = ctx

    def save(self, damnit_dir, proposal, run):
        """Saves them in a run of the database in `damnit_dir`; returns the path of the file with them, which is
        gone as soon as it is merged into the run's own."""
        return save_fragment(damnit_dir, proposal, run, self.cells, self.errors, provenance="context.py")


def save_fragment(damnit_dir, proposal, run, vars, errors, provenance=""):
    """Saves cells and errors (name → Cell, name → exception) as `Results.save` does: for `damnit.submit`, which
    calls it by this name and with these arguments."""
    from pathlib import Path

    return Path(submission.save(vars, errors, damnit_dir, proposal, run, provenance))
