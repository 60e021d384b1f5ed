"""What is measured: context files, and the runs that they are evaluated for."""
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
DEMO = HERE.parent / "deploy" / "demo"


@dataclass(frozen=True)
class Case:
    """`real`: the runs have files, else both programs use their stand-in for a run's data.

    `targets`: how many times less we should need, by measure (see `table.py`). `warm`: runledger keeps a Python; what
    that one uses is no job's, so only the time is compared.
    """

    name: str
    title: str
    context: Path
    targets: dict
    real: bool = False
    at_most: int = 1000        # repetitions
    by_default: bool = True
    warm: bool = False
    sandbox: bool = False      # runledger's built-in one, of all parts; DAMNIT has none


CASES = [
    Case("trivial", "one trivial variable", HERE / "contexts" / "trivial.py", {"wall": 8, "cpu": 10}),
    Case("warm", "one trivial variable, runledger with a warm Python", HERE / "contexts" / "trivial.py",
         {"wall": 30}, warm=True),
    Case("sandbox", "one trivial variable, runledger in its sandbox", HERE / "contexts" / "trivial.py", {},
         by_default=False, sandbox=True),
    Case("mixed", "30 mixed variables", HERE / "contexts" / "mixed.py",
         {"wall": 3, "wall without the user's part": 8}),
    Case("real", "a run opened with extra_data", DEMO / "context.py", {}, real=True),
    Case("large", "an array of 2 GB", HERE / "contexts" / "large.py", {}, at_most=1, by_default=False),
]


# What is measured in ways of its own.
OTHERS = ["pictures", "events", "memory", "lone", "backlog", "merge", "migrate", "table"]


def chosen(names):
    """The cases of these names; without names those that are measured by default."""
    if not names:
        return [case for case in CASES if case.by_default]
    by_name = {case.name: case for case in CASES}
    unknown = sorted(set(names) - set(by_name) - set(OTHERS))
    if unknown:
        sys.exit(f"there is no case {', '.join(unknown)}; there are: {', '.join([*by_name, *OTHERS])}")
    return [by_name[name] for name in names if name in by_name]


class Runs:
    """A proposal whose runs, as many as needed, all have the same content."""

    proposal = 900123
    first = 1000

    def __init__(self, root, python):
        self.root = root
        subprocess.run([python, DEMO / "make_runs.py", root], check=True, stdout=subprocess.DEVNULL)
        self._folder = next(root.glob(f"*/*/p{self.proposal:06}"))

    def add(self, number):
        """Makes a run: another name for one of the demo's."""
        for data in ("raw", "proc"):
            link = self._folder / data / f"r{number:04}"
            if not link.exists():
                link.symlink_to("r0002")
