"""Figures as tables: for the terminal and for docs/PERFORMANCE.md."""
import datetime
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from statistics import median

import events
from pictures import TARGET

# What the machine did of its own, over five minutes.
BUSY_BEFORE = os.getloadavg()[1]
HEADER = ["", "damnit", "runledger", "ratio", "target"]


def case_rows(found):
    """The rows of one case; `found` is what `measure.py` has collected."""
    theirs, ours = found.figures["damnit"], found.figures["runledger"]
    rows = [
        _row(found, "wall", "from the job's start to the row, ms", _medians(theirs, "wall"), _medians(ours, "wall")),
        _row(found, "job", "to the job's end, ms", _medians(theirs, "job"), _medians(ours, "job")),
    ]
    if found.case.warm:
        return rows
    rows.append(_row(found, "cpu", "CPU, ms", _medians(theirs, "cpu"), _medians(ours, "cpu")))
    rows += [_without_users_part(found, "wall", "to the row"), _without_users_part(found, "cpu", "CPU")]
    return rows + _memory_rows(found.peaks["damnit"], found.peaks["runledger"])


def _without_users_part(found, measure, title):
    bare = median(getattr(each, measure) for each in found.bare)
    theirs, ours = (_medians(found.figures[name], measure) - bare for name in ("damnit", "runledger"))
    title = f"{title} without the user's part ({bare * 1e3:.0f}), ms"
    return _row(found, f"{measure} without the user's part", title, theirs, ours, noise=bare / 20)


def _memory_rows(theirs, ours):
    return [
        ["peak memory of the job's own process, MB", f"{theirs.own:.0f}", f"{ours.own:.0f}", "", "40"],
        ["peak memory of the Python with the context file, MB", f"{theirs.others:.0f}", f"{ours.others:.0f}", "", ""],
    ]


def _medians(figures, measure):
    return median(getattr(each, measure) for each in figures)


def _row(found, measure, title, theirs, ours, noise=0.0):
    """Seconds, shown in ms. What is less than the noise has no ratio."""
    target = found.case.targets.get(measure)
    ratio = f"{theirs / ours:.1f} ×" if ours > noise else "below noise"
    return [title, f"{theirs * 1e3:.0f}", f"{ours * 1e3:.0f}", ratio, f"{target} ×" if target else ""]


def picture_rows(found):
    return [[f"{title}, ms", f"{theirs * 1e3:.3g}", f"{ours * 1e3:.3g}", f"{theirs / ours:.0f} ×", f"{TARGET} ×"]
            for title, theirs, ours in found]


def run_table_rows(found):
    return [[f"{title}, ms", f"{theirs * 1e3:.3g}", f"{ours * 1e3:.3g}", f"{theirs / ours:.0f} ×", f"{target} ×"]
            for title, theirs, ours, target in found]


def merging_rows(found):
    return [[title, f"{theirs:.3g}", f"{ours:.3g}", f"{ours / theirs:.2f} ×" if target else "", target]
            for title, theirs, ours, target in found]


def migrating_rows(found):
    return [[title, f"{theirs:.3g}", f"{ours:.3g}", f"{theirs / ours:.1f} ×", ""] for title, theirs, ours in found]


def event_rows(theirs, ours):
    ratio = f"{theirs / ours:.0f} ×"
    return [["per notification, ms", f"{theirs * 1e3:.3g}", f"{ours * 1e3:.3g}", ratio, f"{events.TARGET} ×"]]


def as_markdown(title, rows):
    lines = [_markdown_line([title, *HEADER[1:]]), "|---|--:|--:|--:|--:|", *map(_markdown_line, rows)]
    return "\n".join(lines) + "\n"


def _markdown_line(cells):
    return "| " + " | ".join(cells) + " |"


def machine():
    """The machine, its programs and the day, as a list."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    packages = ", ".join(f"{name} {version(name)}" for name in ("damnit", "extra_data", "xarray", "numpy"))
    return "\n".join([
        f"* Machine: {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB; "
        f"{system}, Linux {platform.release()}",
        f"* Programs: Python {platform.python_version()}, {packages}; runledger built with `--release`",
        f"* Date: {datetime.date.today().isoformat()}; processes at work before it began: {BUSY_BEFORE:.1f}",
    ]) + "\n"


def write(path, command, tables):
    """Puts the tables between the marks of `path`."""
    begin, end = "<!-- measured -->\n", "<!-- /measured -->\n"
    before, _, rest = path.read_text().partition(begin)
    after = rest.partition(end)[2]
    measured = f"{machine()}* Command: `{command}`\n\n" + "\n".join(tables)
    path.write_text(before + begin + "\n" + measured + "\n" + end + after)
