#!/usr/bin/env python3
"""Runs the same context files through damnit 0.4.0 and through runledger in turn, and compares.

`./x bench` builds what this needs and calls it with a Python that has the package damnit.
"""
import argparse
import shlex
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import backlog
import events
import lone
import memory
import measuring
import merging
import migrating
import pictures
import run_table
import table
from cases import CASES, OTHERS, Case, Runs, chosen
from contestants import Damnit, Runledger
from measuring import one_job, users_part

DOCUMENT = Path(__file__).parent.parent / "docs" / "PERFORMANCE.md"


@dataclass
class Tools:
    """Our programs, and where run files are."""

    folder: Path
    data: Path

    def __post_init__(self):
        for name in ("runledger", "broker", "pictures", "run_table", "merge"):
            setattr(self, name, self.folder / name)


@dataclass
class Found:
    case: Case
    figures: dict = field(default_factory=lambda: {"damnit": [], "runledger": []})
    bare: list = field(default_factory=list)
    peaks: dict = field(default_factory=dict)


def main():
    args = arguments()
    cases = chosen(args.names)
    tables = []
    with tempfile.TemporaryDirectory(prefix="runledger-bench-") as folder:
        root = Path(folder)
        tools = Tools(args.programs.resolve(), root / "data")
        runs = Runs(tools.data, sys.executable) if any(case.real for case in cases) else None
        for case in cases:
            found = measure(case, args, root, tools, runs)
            tables.append(show(case.title, table.case_rows(found)))
        if not args.names or "pictures" in args.names:
            found = pictures.measure(root / "pictures", tools)
            tables.append(show("one summary, per call", table.picture_rows(found)))
        if not args.names or "events" in args.names:
            found = events.measure(root / "events", tools)
            tables.append(show(f"{events.EVENTS} notifications to submitted jobs", table.event_rows(*found)))
        for name, case in {"memory": memory, "lone": lone, "backlog": backlog}.items():
            if not args.names or name in args.names:
                tables.append(show(case.TITLE, case.measure(root / name, tools)))
        if not args.names or "table" in args.names:
            found = run_table.measure(root / "table", tools)
            tables.append(show(run_table.TITLE, table.run_table_rows(found)))
        if not args.names or "merge" in args.names:
            found = merging.measure(root / "merging", tools)
            tables.append(show(merging.TITLE, table.merging_rows(found)))
        if not args.names or "migrate" in args.names:
            found = migrating.measure(root / "migrating", tools)
            tables.append(show(migrating.TITLE, table.migrating_rows(found)))
    if args.write:
        table.write(DOCUMENT, shlex.join(["./x", "bench", *sys.argv[3:]]), tables)


def arguments():
    parser = argparse.ArgumentParser(prog="./x bench", description=__doc__)
    parser.add_argument("--programs", type=Path, required=True, help=argparse.SUPPRESS)
    names = ", ".join([*(case.name for case in CASES), *OTHERS])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"what to measure: {names} [default: all but large]")
    parser.add_argument("--times", type=int, default=15, help="repetitions of each [15]")
    parser.add_argument("--config", type=Path, metavar="FILE",
                        help="settings (TOML) to add to runledger's configuration, to compare with and without")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/PERFORMANCE.md")
    return parser.parse_args()


def measure(case, args, root, tools, runs):
    print(f"{case.title} …", file=sys.stderr)
    settings = args.config.read_text() if args.config else ""
    contestants = []
    try:
        for kind in (Damnit, Runledger):
            contestants.append(kind(root, case, tools, settings))
        return compare(Found(case), contestants, min(args.times, case.at_most), runs)
    finally:
        for contestant in contestants:
            contestant.end()


def compare(found, contestants, times, runs):
    """In turn, so that what else goes on here meets both; the first time nothing is counted."""
    for round_number in range(times + 2):
        run = Runs.first + round_number
        if found.case.real:
            runs.add(run)
        is_counted = 0 < round_number <= times
        for contestant in contestants if round_number % 2 else contestants[::-1]:
            if round_number == times + 1 and not found.case.warm:
                found.peaks[contestant.name] = measuring.memory(contestant, run)
            elif is_counted:
                found.figures[contestant.name].append(one_job(contestant, run))
            elif found.case.at_most > 1:
                one_job(contestant, run)
        if is_counted and not found.case.warm:
            found.bare.append(users_part(contestants[0], run))
    return found


def show(title, rows):
    text = table.as_markdown(title, rows)
    print(text, flush=True)
    return text


if __name__ == "__main__":
    main()
